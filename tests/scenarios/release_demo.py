"""Releases of all sorts under traffic, on a local cloud of their own; writes the table of docs/releases.md.

python -m tests.scenarios.release_demo [NAME ...]
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass

from tests.harness.release_traffic import Traffic, traffic
from tests.scenarios import release_changes as changes
from tests.scenarios import release_disturbances as disturbances
from tests.scenarios import release_table
from tests.scenarios.migration import order_item
from tests.scenarios.release_changes import Change, edited, migration, stage, together
from tests.scenarios.release_cloud import DEADLINE_S, Cloud, cloud_up
from tidegate_local.release_item import ReleaseItem
from tidegate_local.scenarios.clone import FAILING_ORDERS, SLOW_ORDERS

_MANY = 50_000


@dataclass(frozen=True)
class Scenario:
    """A release: what changes, what happens in the middle, and how it has to end.

    `before` is done before the traffic begins; `disturb` and `seen` may add to what is said, and `seen`, which looks at
    the cloud afterwards, fails if that isn't as it has to be. `unhurt`: no client's request may fail.
    """

    name: str
    change: Change
    ends: str = "promoted"
    disturb: Callable[[Cloud, subprocess.Popen[str]], str | None] | None = None
    options: tuple[str, ...] = ()
    before: Callable[[Cloud], None] | None = None
    seen: Callable[[Cloud], str] | None = None
    per_s: float = 20
    unhurt: bool = True


@dataclass(frozen=True)
class Row:
    """What came of it."""

    scenario: Scenario
    release: ReleaseItem
    traffic: Traffic
    in_place: bool
    notes: tuple[str, ...]

    @property
    def well(self) -> bool:
        """Whether it ended as it has to."""
        hurt = self.scenario.unhurt and self.traffic.failed
        return self.release.state == self.scenario.ends and self.in_place and not hurt

    @property
    def line(self) -> str:
        """Its line in the table."""
        release = self.release
        return release_table.line(
            self.scenario.name,
            release.state,
            "yes" if self.well else "**no**",
            release.ended - release.began,
            release.served["canary"].requests,
            len(self.traffic.noted),
            len(self.traffic.failed),
            "" if release.weightless_ms is None else release.weightless_ms,
            " ".join([release.reason, *self.notes]),
        )


def fill(cloud: Cloud) -> None:
    """Put orders into the table, as code of the first schema wrote them."""
    table = cloud.state["outputs"]["OrdersTable"]
    items = [{"PutRequest": {"Item": order_item(serial)}} for serial in range(_MANY)]
    with closing(cloud.client("dynamodb")) as dynamodb, ThreadPoolExecutor(4) as pool:
        batches = [items[at : at + 25] for at in range(0, len(items), 25)]
        list(pool.map(lambda batch: dynamodb.batch_write_item(RequestItems={table: batch}), batches))


def counted(kind: str) -> Callable[[Cloud], str]:
    """See that the judge had counted something of the canary's."""

    def seen(cloud: Cloud) -> str:
        canary = cloud.last_verdict()["canary"]
        assert canary[kind] > 0, canary
        return f"Counted of the canary's: {canary['requests']} requests, {canary[kind]} {kind.replace('_', ' ')}."

    return seen


def proven(cloud: Cloud) -> str:
    """See that the last step was proven."""
    verdict = cloud.last_verdict()
    assert verdict["outcome"] == "pass", verdict
    return f"Proven by {verdict['canary']['requests']} requests of the canary's."


def taken_back(cloud: Cloud) -> str:
    """See that no order has what the migrations brought, and that none of them is in force."""
    journal = cloud.journal()
    left = [item for item in cloud.orders() if item.keys() & {"channel", "warehouse"}]
    assert journal.schema == 1, journal
    assert not left, left[:3]
    states = ", ".join(f"{entry.name} {entry.state}" for number, entry in journal.entries.items() if number > 1)
    return f"No order has the new form; {states}."


def migrated(cloud: Cloud) -> str:
    """See that every order has what the migration brought."""
    orders, entry = cloud.orders(), cloud.journal().entries[2]
    assert len(orders) >= _MANY
    lacking = [item for item in orders if item["id"]["S"].startswith("old-") and "channel" not in item]
    assert not lacking, (len(lacking), lacking[:3])
    return f"All {_MANY} have the new form; {entry.progress.written} written in all."


LONG = ("--step-s", "60")
CHANNEL = migration("0002_channel", changes.CHANNEL)
SCENARIOS = (
    Scenario("good", edited()),
    Scenario(
        "5 % of requests fail", edited(FAILING_ORDERS.format(share=0.2)), "rolled-back", options=LONG, unhurt=False
    ),
    Scenario("p95 x4", edited(SLOW_ORDERS.format(seconds=1)), "rolled-back", options=LONG),
    Scenario(
        "5 % of requests end the process",
        edited(changes.CRASHING_ORDERS.format(share=0.2)),
        "rolled-back",
        options=LONG,
        seen=counted("server_errors"),
        unhurt=False,
    ),
    Scenario(
        "5 % of requests time out",
        together(edited(changes.ENDLESS_ORDERS.format(share=0.2)), stage("timeout_s=4")),
        "rolled-back",
        options=LONG,
        seen=counted("timeouts"),
        unhurt=False,
    ),
    Scenario("crash at import", edited("raise RuntimeError('it never starts')"), "rolled-back"),
    Scenario("schema not there", edited("SCHEMA_VERSION = 99", "functions/api/schema.py"), "rolled-back"),
    Scenario("aborted by hand", edited("# aborted"), "rolled-back", disturbances.abort, LONG),
    Scenario("CLI killed", edited("# CLI killed"), disturb=disturbances.kill_cli),
    # A request in whose middle its process is killed fails.
    Scenario(
        "functions' processes killed", edited("# workers killed"), disturb=disturbances.kill_workers, unhurt=False
    ),
    Scenario("Redis killed", edited("# Redis killed"), disturb=disturbances.kill_redis),
    Scenario("layer-only change", edited("# a layer", "layers/tidegate/python/tidegate/units.py")),
    Scenario("a second release meanwhile", edited("# the first"), disturb=disturbances.release_again, options=LONG),
    Scenario(
        "holds, and goes on when told",
        together(edited("# holds"), stage(release='last_unproven="hold", hold_s=120')),
        disturb=disturbances.go_on,
    ),
    Scenario(
        "holds, and nobody decides",
        together(edited("# holds on"), stage(release='last_unproven="hold", hold_s=5')),
        "rolled-back",
    ),
    Scenario(
        "topped up: 1 request a second",
        together(edited("# topped up"), stage(release='last_unproven="top_up"')),
        options=("--strategy", "50"),
        seen=proven,
        per_s=1,
    ),
    Scenario("a migration fails", migration("0002_refused", changes.REFUSED), "rolled-back", seen=taken_back),
    Scenario(
        "a backfill fails half-way",
        together(CHANNEL, migration("0003_warehouse", changes.HALF_WAY)),
        "rolled-back",
        seen=taken_back,
    ),
    Scenario(
        "50,000 orders migrated, `migrate` killed half-way",
        # A scan of this engine costs as much as its table is long: larger pages, fewer of them.
        together(CHANNEL, edited("PAGE = 250", "functions/migrate/backfill.py")),
        disturb=disturbances.kill_migration,
        before=fill,
        seen=migrated,
    ),
)


def play(cloud: Cloud, scenario: Scenario) -> Row:
    """Release under traffic, and look at what is in force afterwards."""
    before, last = cloud.alias()[0], cloud.latest().token
    cloud.clone.restore()
    scenario.change(cloud.clone)
    if scenario.before:
        scenario.before(cloud)
    notes: list[str | None] = []
    with traffic(cloud.state, per_s=scenario.per_s) as noted:
        cli = cloud.clone.start("release", *scenario.options)
        cloud.await_release(lambda release: release.token > last or cli.poll() is not None)
        assert cloud.latest().token > last, cli.communicate()
        if scenario.disturb:
            notes.append(scenario.disturb(cloud, cli))
        release = cloud.await_release(lambda found: found.token > last and found.state != "running")
        printed, _ = cli.communicate(timeout=DEADLINE_S)
    sys.stdout.write(printed)
    deadline = time.monotonic() + 60
    while not cloud.stack()[0].endswith("_COMPLETE") and time.monotonic() < deadline:
        time.sleep(0.2)
    if scenario.seen:
        notes.append(scenario.seen(cloud))
    version, whole = cloud.alias()
    in_place = whole and version == cloud.stack()[1] and (scenario.ends == "promoted") == (version != before)
    return Row(scenario, release, noted, in_place, tuple([note for note in notes if note]))


def main(names: list[str]) -> int:
    """Play the scenarios of these names, or all; the status says whether all ended as they have to."""
    chosen = [scenario for scenario in SCENARIOS if not names or scenario.name in names]
    rows, began = [], time.monotonic()
    with cloud_up() as cloud:
        for scenario in chosen:
            sys.stdout.write(f"\n{scenario.name}\n")
            rows.append(play(cloud, scenario))
            sys.stdout.write(f"{rows[-1].line}\n")
            for failed in rows[-1].traffic.failed:
                sys.stdout.write(f"{failed}\n")
            sys.stdout.flush()
            release_table.write([rows[-1].line], [scenario.name for scenario in SCENARIOS])
    sys.stdout.write(f"\n{len(rows)} releases in {(time.monotonic() - began) / 60:.1f} min\n")
    return 0 if all(row.well for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

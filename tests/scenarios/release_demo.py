"""Releases of all sorts under traffic, on a local cloud of their own; writes the table of docs/releases.md.

python -m tests.scenarios.release_demo [NAME ...]
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, replace

from tests.harness.release_traffic import Traffic, traffic
from tests.scenarios import release_table
from tests.scenarios.release_changes import edited
from tests.scenarios.release_cloud import DEADLINE_S, Cloud, cloud_up
from tests.scenarios.release_situations import await_stack, released
from tests.scenarios.release_sorts import SCENARIOS, Scenario
from tidegate_local.releases.item import ReleaseItem


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


def play(cloud: Cloud, scenario: Scenario) -> Row:
    """Release under traffic, and look at what is in force afterwards."""
    cloud.clone.restore()
    if scenario.before:
        scenario.before(cloud)
        cloud.clone.restore()
    before, last = cloud.alias()[0], cloud.latest().token
    scenario.change(cloud.clone)
    notes: list[str | None] = []
    with traffic(cloud.state, per_s=scenario.per_s) as noted:
        cli = cloud.clone.start("release", *scenario.options)
        cloud.await_release(lambda release: release.token > last or cli.poll() is not None)
        if scenario.refused:
            printed, _ = cli.communicate(timeout=DEADLINE_S)
            release = refusal(cloud, scenario.refused, printed)
        else:
            assert cloud.latest().token > last, cli.communicate()
            if scenario.disturb:
                notes.append(scenario.disturb(cloud, cli))
            release = cloud.await_release(lambda found: found.token > last and found.state != "running")
            printed, _ = cli.communicate(timeout=DEADLINE_S)
    sys.stdout.write(printed)
    await_stack(cloud)
    if scenario.seen:
        notes.append(scenario.seen(cloud))
    row = Row(scenario, release, noted, in_place(cloud, scenario, before), tuple([note for note in notes if note]))
    if scenario.ill:
        cloud.clone.restore()
        released(edited("# well again"))(cloud)
    return row


def refusal(cloud: Cloud, said: str, printed: str) -> ReleaseItem:
    """Return a release that never began, with the line that says why."""
    (line, *_) = [line for line in printed.splitlines() if said in line] or [f"nobody said {said!r}"]
    at = line.find(said)
    return replace(cloud.latest(), state="refused" if at >= 0 else "?", reason=line[max(0, at) :], began=0, ended=0)


def in_place(cloud: Cloud, scenario: Scenario, before: str) -> bool:
    """Whether both aliases are where they have to be, and without weights."""
    version, whole = cloud.alias()
    _, worker_whole = cloud.alias("WorkerName")
    if not whole or not worker_whole:
        return False
    if scenario.by_hand:
        return any(versions == cloud.in_force() for versions in cloud.latest().promotions)
    moved = scenario.ends == "promoted" and not scenario.stays
    return version == cloud.stack()[1] and moved == (version != before)


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

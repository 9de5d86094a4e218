"""The sorts of releases that are played: what changes, what happens in the middle, and how each has to end."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass

from examples.shop.changes import FAILING_ORDERS, SLOW_ORDERS
from tests.scenarios import release_changes as changes
from tests.scenarios import release_disturbances as disturbances
from tests.scenarios import release_situations as situations
from tests.scenarios import release_weather as weather
from tests.scenarios.release_changes import Change, edited, migration, stage, together
from tests.scenarios.release_cloud import Cloud
from tests.scenarios.release_situations import LONG


@dataclass(frozen=True)
class Scenario:
    """A release: what changes, what happens in the middle, and how it has to end.

    `before` is done before the change and the traffic; `disturb` and `seen` may add to what is said, and `seen`, which
    looks at the cloud afterwards, fails if that isn't as it has to be. `unhurt`: no client's request may fail.
    `by_hand`: what is in force isn't what the template says, for a person put it there. `stays`: though it promotes,
    what was in force before is so again. `refused`: it never begins, and that is what is said.
    `ill`: the version that it leaves in force fails requests, so a well one follows.
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
    by_hand: bool = False
    stays: bool = False
    refused: str = ""
    ill: bool = False


BROKEN = edited("raise RuntimeError('it never starts')")
CHANNEL = migration("0002_channel", changes.CHANNEL)
SCENARIOS = (
    Scenario("good", edited()),
    Scenario(
        "5 % of requests fail", edited(FAILING_ORDERS.format(share=0.2)), "rolled-back", options=LONG, unhurt=False
    ),
    Scenario(
        "a shared outage in the middle",
        weather.in_outage("# the next"),
        disturb=weather.outage,
        options=LONG,
        before=weather.before_outage,
        unhurt=False,
    ),
    Scenario("caches that are cold at first", weather.cold(10), options=LONG),
    Scenario(
        "one bad client",
        weather.with_bad_client("# the next"),
        options=LONG,
        before=situations.released(weather.with_bad_client()),
        unhurt=False,
        ill=True,
    ),
    Scenario("p95 x4", edited(SLOW_ORDERS.format(seconds=1)), "rolled-back", options=LONG),
    Scenario(
        "5 % of requests end the process",
        edited(changes.CRASHING_ORDERS.format(share=0.2)),
        "rolled-back",
        options=LONG,
        seen=situations.counted("server_errors"),
        unhurt=False,
    ),
    Scenario(
        "5 % of requests time out",
        together(edited(changes.ENDLESS_ORDERS.format(share=0.2)), stage("timeout_s=4")),
        "rolled-back",
        options=LONG,
        seen=situations.counted("timeouts"),
        unhurt=False,
    ),
    Scenario("crash at import", BROKEN, "rolled-back"),
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
        together(edited("# topped up"), stage(release='last_unproven="top_up", replay_per_s=20')),
        options=("--strategy", "50"),
        seen=situations.proven,
        per_s=1,
    ),
    Scenario(
        "a migration fails", migration("0002_refused", changes.REFUSED), "rolled-back", seen=situations.taken_back
    ),
    Scenario(
        "a backfill fails half-way",
        together(CHANNEL, migration("0003_warehouse", changes.HALF_WAY)),
        "rolled-back",
        seen=situations.taken_back,
    ),
    Scenario(
        "50,000 orders migrated, `migrate` killed half-way",
        # A scan of this engine costs as much as its table is long: larger pages, fewer of them.
        together(CHANNEL, edited("PAGE = 250", "functions/migrate/backfill.py")),
        disturb=disturbances.kill_migration,
        before=situations.fill,
        seen=situations.migrated,
    ),
    Scenario("all at once", edited("# all at once"), options=("--strategy", "all-at-once")),
    Scenario("fails after a rollback by hand", BROKEN, "rolled-back", before=situations.back_by_hand, by_hand=True),
    Scenario("good after a rollback by hand", edited("# after a rollback by hand"), before=situations.back_by_hand),
    Scenario(
        "rolled back by hand meanwhile",
        edited("# rolled back meanwhile"),
        "rolled-back",
        disturbances.roll_back_by_hand,
        LONG,
        by_hand=True,
    ),
    Scenario(
        "moved on the console meanwhile",
        edited("# moved meanwhile"),
        "rolled-back",
        disturbances.move_on_the_console,
        before=situations.released(edited("# before it is moved")),
        by_hand=True,
    ),
    # The deploy itself ends the processes of what isn't published.
    Scenario("the aliases at $LATEST", edited("# from nowhere"), before=situations.at_latest, unhurt=False),
    Scenario("an alias deleted", edited("# without an alias"), before=situations.without_alias),
    Scenario(
        "the mend of an ill version",
        edited("# the mend"),
        before=situations.fallen_ill,
        seen=situations.well_again,
        unhurt=False,
    ),
    Scenario(
        "the mend of an ill version, all at once",
        edited("# the mend, at once"),
        options=("--strategy", "all-at-once"),
        before=situations.fallen_ill,
        seen=situations.well_again,
        unhurt=False,
    ),
    Scenario(
        "no mend of an ill version",
        together(edited("# no mend"), edited("raise RuntimeError('and worse')", changes.HANDLER)),
        "rolled-back",
        before=situations.fallen_ill,
        seen=situations.well_again,
        unhurt=False,
    ),
    Scenario("the same sources after an abort", edited("# once more"), before=situations.given_up("# once more")),
    Scenario(
        "the library doesn't import",
        edited("raise RuntimeError('a broken library')", "layers/tidegate/python/tidegate/__init__.py"),
        "rolled-back",
    ),
    Scenario(
        "the controller doesn't import",
        together(edited(), edited("raise RuntimeError('a broken controller')", "functions/rollout/states.py")),
        "refused",
        refused="The controller of releases can't start: RuntimeError: a broken controller",
    ),
    Scenario(
        "the worker hangs", together(edited(), edited(changes.HANGING, "functions/worker/handler.py")), "rolled-back"
    ),
    Scenario(
        "the API hangs, and it is aborted meanwhile",
        edited(changes.HANGING, changes.HANDLER),
        "rolled-back",
        disturbances.abort_while_asked,
    ),
    Scenario(
        "its time is over while it holds",
        together(
            edited("# holds for too long"),
            edited("MACHINE_S = 345", "infra/cdk/tidegate_cdk/release_time.py"),
            stage(release='last_unproven="hold", hold_s=900'),
        ),
        "rolled-back",
    ),
    Scenario(
        "another resource fails after the promotion",
        together(edited("# promoted in vain"), edited(changes.FAILING_RESOURCE, "infra/stack.py")),
        stays=True,
        seen=situations.taken_back_by_the_stack,
    ),
    Scenario(
        "old versions can't be deleted",
        together(edited("# not pruned"), edited(changes.FAILING_PRUNE, "functions/rollout/aliases.py")),
        seen=situations.noted_afterwards,
    ),
)

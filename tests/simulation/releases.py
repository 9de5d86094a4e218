"""The judge in real weather: python -m tests.simulation.releases --seed 1 --releases 300 [--world NAME ...]

Each stage's own plan leads simulated releases in worlds that operators live in, healthy ones and bad ones, beside an
Argo-like, a Flagger-like and a Kayenta-like rule on the same streams.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

from functions.rollout.order import plan_of
from infra.stages import AWS, LOCAL, Stage
from tests.simulation import releases_peers
from tests.simulation.releases_lead import Judged, Way, lead
from tests.simulation.releases_stream import Stream
from tests.simulation.releases_weather import Weather
from tests.simulation.releases_worlds import FAULTS, SPECIAL, WORLDS, Fault, World
from tidegate_cdk.way import way

RATES = (5.0, 20.0, 200.0)
# At which the peers and the local stage's plan are shown.
PEERS_PER_S = 20.0
FEW = (0.1, 0.2, 1.0)
BAKES = (50.0, 75.0, 90.0, 95.0)
OURS = "Tidegate"
DOCS = Path(__file__).parents[2] / "docs"
WITHIN_S = 300
_ALL = (*WORLDS, *[world for world, _ in SPECIAL])


class Cell(NamedTuple):
    """Releases of one kind, led by one rule.

    Attributes:
        world, fault: by their names; no fault: the releases are healthy.
        per_s: requests a second.
        rule: who leads: ours, or a peer.
        stage: whose plan.
        replays: whether something may be replayed.
        bake: another weight of the bake than the stage's; None: the stage's.
    """

    world: str
    fault: str | None
    per_s: float
    rule: str = OURS
    stage: str = "aws"
    replays: bool = False
    bake: float | None = None


class Outcomes(NamedTuple):
    """What was said of a cell's releases; `decided` within five minutes, without counting the bake."""

    said: dict[str, int]
    decided: int
    seconds: tuple[int, ...]

    @property
    def releases(self) -> int:
        return sum(self.said.values())

    def share(self, outcome: str) -> float:
        return self.said.get(outcome, 0) / max(1, self.releases)


def way_of(stage: Stage, *, replays: bool = False, bake: float | None = None) -> Way:
    """Read a stage's own way, as the controller does."""
    release = stage.release if bake is None else replace(stage.release, bake_percent=bake)
    written = way(release)
    return Way(
        plan_of(written),
        written["look_s"],
        bool(stage.release.bake_s),
        written["replay_per_s"] if replays else 0,
    )


def weather_of(cell: Cell, seed: int, number: int) -> Weather:
    """Draw a release's weather: the same for every rule."""
    world = _named(cell.world)
    rng = random.Random(f"{seed}/{cell.world}/{cell.per_s}/{number}")
    weather = world.draw(rng, cell.per_s)
    return weather if cell.fault is None else replace(weather, bad=_fault(cell).draw(rng, weather))


def simulate(cell: Cell, seed: int, number: int) -> Judged:
    """Lead one release."""
    weather = weather_of(cell, seed, number)
    stream = Stream(weather, f"{seed}/{cell.world}/{cell.per_s}/{cell.fault}/{number}")
    if cell.rule != OURS:
        return releases_peers.RULES[cell.rule](stream)
    stage = {stage.name: stage for stage in (AWS, LOCAL)}[cell.stage]
    return lead(stream, way_of(stage, replays=cell.replays, bake=cell.bake))


def simulate_cell(seed: int, releases: int, cell: Cell) -> tuple[Cell, Outcomes]:
    """Lead all of a cell's releases."""
    said = [simulate(cell, seed, number) for number in range(releases)]
    decided = sum(one.decided_s is not None and one.decided_s <= WITHIN_S for one in said)
    seconds = tuple(sorted(one.seconds for one in said if one.outcome == ("fail" if cell.fault else "pass")))
    return cell, Outcomes(Counter(one.outcome for one in said), decided, seconds)


def cells(worlds: Iterable[str]) -> list[Cell]:
    """Name all cells of these worlds."""
    chosen = [world.name for world in _ALL if world.name in set(worlds)]
    faults = (None, *[fault.name for fault in FAULTS[:3]])
    main = [name for name in chosen if any(world.name == name for world in WORLDS)]
    found = [Cell(name, fault, per_s) for name in main for per_s in RATES for fault in faults]
    found += [
        Cell(name, fault, PEERS_PER_S, rule) for name in main for rule in releases_peers.RULES for fault in faults
    ]
    found += [Cell(name, fault, PEERS_PER_S, stage="local") for name in main for fault in faults[:3]]
    found += [
        Cell(world.name, kind, per_s)
        for world, fault in SPECIAL
        if world.name in chosen
        for per_s in RATES
        for kind in (None, fault.name)
    ]
    if "steady" in chosen:
        found += [
            Cell("steady", fault, per_s, replays=on) for per_s in FEW for on in (False, True) for fault in faults[:3]
        ]
        found += [Cell("steady", fault.name, per_s) for fault in FAULTS[3:] for per_s in RATES]
        found += [Cell("steady", "late, x20", per_s, bake=bake) for bake in BAKES for per_s in RATES]
    return found


def simulate_all(seed: int, releases: int, found: Sequence[Cell], workers: int) -> Iterator[tuple[Cell, Outcomes]]:
    """Run cells in as many processes; the figures don't depend on how many."""
    with ProcessPoolExecutor(workers) as pool:
        yield from pool.map(partial(simulate_cell, seed, releases), found)


def _named(name: str) -> World:
    return next(world for world in _ALL if world.name == name)


def _fault(cell: Cell) -> Fault:
    special = [fault for world, fault in SPECIAL if world.name == cell.world and fault.name == cell.fault]
    return (special or [fault for fault in FAULTS if fault.name == cell.fault])[0]


def main(arguments: Sequence[str] | None = None, say: Callable[[str], None] = print) -> int:
    from tests.simulation import releases_report  # noqa: PLC0415  the report imports this module's names

    parser = argparse.ArgumentParser(prog="python -m tests.simulation.releases", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--releases", type=int, default=300, help="in each cell of the tables")
    parser.add_argument(
        "--world", action="append", help="one of: " + ", ".join(world.name for world in _ALL).replace("%", "%%")
    )
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--write", action="store_true", help="write docs/judge.md")
    chosen = parser.parse_args(arguments)
    names = [world.name for world in _ALL]
    if unknown := set(chosen.world or ()) - set(names):
        parser.error(f"there is no world {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    began = time.monotonic()
    outcomes = dict(simulate_all(chosen.seed, chosen.releases, cells(chosen.world or names), chosen.workers))
    for line in releases_report.as_text(releases_report.tables(outcomes)):
        say(line)
    say(f"{sum(found.releases for found in outcomes.values())} releases: {time.monotonic() - began:.0f} s")
    if chosen.write:
        say(f"written: {releases_report.write(outcomes, (chosen.seed, chosen.releases), DOCS)}")
    broken = [*releases_report.broken(outcomes)]
    for line in broken:
        say(line)
    return int(bool(broken))


if __name__ == "__main__":
    sys.exit(main())

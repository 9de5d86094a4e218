"""Scale-outs in virtual time: how soon a fleet knows its demand, and whom it refuses meanwhile.

`python -m tests.simulation.scale_out` prints the table; `--seeds` says over how many runs of chance.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from tests.simulation.scale_out_world import Case, World

KNOWN_WITHIN_S = 5.0
WATCHED_S = 10.0
_LOOKS_A_SECOND = 10
ENVIRONMENTS = (2, 5, 10, 18, 50, 100)


class Played(NamedTuple):
    """What became of one scale-out.

    Attributes:
        error: by how much the estimate was wrong on average over the five seconds from the fifth on, as a share.
        worst: the same in the second of them in which it was the most.
        refused: requests, from the first.
        came: of how many.
    """

    error: float
    worst: float
    refused: int
    came: int


def cases(environments: int) -> Iterator[tuple[str, Case]]:
    """Yield what may happen to a fleet of that size."""
    half = environments // 2
    yield "from nothing", Case(environments)
    yield "from nothing, with idle ones", Case(environments, busy=0.3, latest_first=True)
    yield "doubled", Case(environments, before=half)
    yield "one after the other", Case(environments, before=half, within_s=KNOWN_WITHIN_S - 1)
    yield "doubled, long runs", Case(environments, before=half, run_s=0.4)
    yield "from nothing, half is too much", Case(environments, busy=0.8, room=0.5)
    yield "doubled, most is too much", Case(environments, before=half, busy=0.9, room=0.2)


def play(case: Case, seed: int) -> Played:
    """Scale a fleet out, and watch it."""
    world = World(case, seed)
    world.run(KNOWN_WITHIN_S)
    seconds = [_second(world) for _ in range(round(WATCHED_S - KNOWN_WITHIN_S))]
    estimate, truth = (sum(each) for each in zip(*seconds, strict=True))
    worst = max((estimated / true - 1 for estimated, true in seconds), key=abs)
    return Played(estimate / truth - 1, worst, world.refused, world.came)


def _second(world: World) -> tuple[float, float]:
    """Return what is estimated and what is true in the next second, on average."""
    estimate = truth = 0.0
    for _ in range(_LOOKS_A_SECOND):
        world.run(world.now_s + 1 / _LOOKS_A_SECOND)
        estimate, truth = estimate + world.estimate, truth + world.truth
    return estimate / _LOOKS_A_SECOND, truth / _LOOKS_A_SECOND


def main() -> None:
    """Play all cases and print what became of them."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seeds", type=int, default=5, help="runs of each case")
    seeds = range(arguments.parse_args().seeds)
    table = Table("environments", "scale-out", "requests/s", "true demand", "error", "worst second", "refused")
    for environments in ENVIRONMENTS:
        for name, case in cases(environments):
            table.add_row(str(environments), name, *_told(case, [play(case, seed) for seed in seeds]))
    console = Console(width=120)
    console.print(table)
    console.print(
        f"error: the farthest that a run of chance was off in the {WATCHED_S - KNOWN_WITHIN_S:g} s from "
        f"{KNOWN_WITHIN_S:g} s after the first start on, and in one second of them."
    )


def _told(case: Case, played: Sequence[Played]) -> tuple[str, ...]:
    error, worst = (max((each[i] for each in played), key=abs) for i in (0, 1))
    refused, came = (sum(each[i] for each in played) for i in (2, 3))
    return (
        f"{case.per_s:.0f}",
        f"{case.demand:.1f}",
        f"{error:+.0%}",
        f"{worst:+.0%}",
        f"{refused} of {came}",
    )


if __name__ == "__main__":
    main()

"""What a run of the simulated releases says: tables on the terminal, and docs/judge.md."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import comb
from pathlib import Path
from typing import NamedTuple

from tests.simulation.releases import BAKES, FEW, OURS, PEERS_PER_S, RATES, Cell, Outcomes
from tests.simulation.releases_peers import RULES
from tests.simulation.releases_text import INTRODUCTION
from tests.simulation.releases_worlds import FAULTS, SPECIAL, WORLDS

MOST_FALSE, MOST_HELD, MOST_MISSED, MOST_LATE = 0.01, 0.05, 0.05, 0.1
# What is this unlikely isn't chance.
_LEVEL = 0.001
_MAIN: tuple[str | None, ...] = (None, *[fault.name for fault in FAULTS[:3]])
Run = Mapping[Cell, Outcomes]


class Table(NamedTuple):
    """A title, what stands above the columns, and the rows."""

    title: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]


def tables(run: Run) -> list[Table]:
    """Sum a run up; tables without a row are left out."""
    heads = ["world", "requests/s", *["healthy" if fault is None else fault for fault in _MAIN]]
    found = [
        Table("Stage aws", heads, [*_rows(run, [(name, per_s) for name in _names() for per_s in RATES])]),
        Table("All worlds together", ["", *heads[2:]], [*_sums(run)]),
        Table(
            "Rare, late and now and then",
            ["world", "fault", *[f"{per_s:g} requests/s" for per_s in RATES]],
            [*_other(run)],
        ),
        Table("Few requests", ["requests/s", "replays", *heads[2:], "decided within 5 minutes"], [*_few(run)]),
        Table("The bake's weight", ["percent", *[f"{per_s:g} requests/s" for per_s in RATES]], [*_bakes(run)]),
        Table(f"Stage local, {PEERS_PER_S:g} requests/s", ["world", *heads[2:-1]], [*_local(run)]),
        Table(
            f"Beside others, {PEERS_PER_S:g} requests/s",
            ["world", *[f"{rule}: {word}" for rule in (OURS, *RULES) for word in ("false", "missed")]],
            [*_peers(run)],
        ),
    ]
    return [table for table in found if table.rows]


def broken(run: Run) -> Iterator[str]:
    """Say which promises didn't hold, beyond what chance does."""
    for cell, outcomes in run.items():
        if cell.rule != OURS or cell.stage != "aws" or cell.bake is not None:
            continue
        for outcome, most in _promises(cell):
            count = outcomes.said.get(outcome, 0)
            if _is_beyond(count, outcomes.releases, most):
                yield f"{cell.world}, {cell.per_s:g} requests/s, {cell.fault or 'healthy'}: {count} {outcome}"


def _promises(cell: Cell) -> Iterator[tuple[str, float]]:
    if cell.fault is None:
        yield "fail", MOST_FALSE
        if cell.per_s in RATES or cell.replays:
            yield "held", MOST_HELD if cell.per_s in RATES else 2 * MOST_HELD
    elif cell.fault in _MAIN:
        late = cell.fault == _MAIN[-1]
        yield "pass", MOST_LATE if late else MOST_MISSED


def _is_beyond(count: int, releases: int, most: float) -> bool:
    tail = sum(comb(releases, k) * most**k * (1 - most) ** (releases - k) for k in range(count, releases + 1))
    return tail < _LEVEL


def _names() -> list[str]:
    return [*[world.name for world in WORLDS], *[world.name for world, _ in SPECIAL]]


def _said(outcomes: Outcomes | None) -> str:
    if outcomes is None:
        return "-"
    return " / ".join(f"{outcomes.share(word) * 100:.3g}" for word in ("pass", "fail", "held"))


def _rows(run: Run, of: Iterable[tuple[str, float]]) -> Iterator[list[str]]:
    for name, per_s in of:
        found = [run.get(Cell(name, fault, per_s)) for fault in _MAIN]
        if found[0] is not None and found[1] is not None:
            yield [name, f"{per_s:g}", *map(_said, found)]


def _sums(run: Run) -> Iterator[list[str]]:
    for rates in (*[(per_s,) for per_s in RATES], RATES):
        found = [
            [run[cell] for name in _names() for per_s in rates if (cell := Cell(name, fault, per_s)) in run]
            for fault in _MAIN
        ]
        if all(found):
            yield [
                " and ".join(f"{per_s:g}" for per_s in rates) + " requests/s",
                *[_said(_sum(each)) for each in found],
            ]


def _sum(outcomes: Sequence[Outcomes]) -> Outcomes:
    words = ("pass", "fail", "held")
    said = {word: sum(each.said.get(word, 0) for each in outcomes) for word in words}
    return Outcomes(said, sum(each.decided for each in outcomes), ())


def _other(run: Run) -> Iterator[list[str]]:
    pairs = [("steady", fault.name) for fault in FAULTS[3:]]
    for world, fault in SPECIAL:
        pairs += [(world.name, fault.name)]
    for name, fault_name in pairs:
        found = [run.get(Cell(name, fault_name, per_s)) for per_s in RATES]
        if any(found):
            yield [name, fault_name, *map(_said, found)]
    for world, _ in SPECIAL:
        found = [run.get(Cell(world.name, None, per_s)) for per_s in RATES]
        if any(found):
            yield [world.name, "none", *map(_said, found)]


def _few(run: Run) -> Iterator[list[str]]:
    for per_s in FEW:
        for replays in (False, True):
            found = [run.get(Cell("steady", fault, per_s, replays=replays)) for fault in _MAIN[:3]]
            if any(found):
                decided = _sum([each for each in found if each])
                within = f"{decided.decided / max(1, decided.releases):.0%}"
                yield [f"{per_s:g}", "on" if replays else "off", *map(_said, found), "", within]


def _bakes(run: Run) -> Iterator[list[str]]:
    for bake in BAKES:
        found = [run.get(Cell("steady", "late, x20", per_s, bake=bake)) for per_s in RATES]
        if any(found):
            yield [f"{bake:g}", *map(_said, found)]


def _local(run: Run) -> Iterator[list[str]]:
    for name in _names():
        found = [run.get(Cell(name, fault, PEERS_PER_S, stage="local")) for fault in _MAIN[:3]]
        if any(found):
            yield [name, *map(_said, found)]


def _peers(run: Run) -> Iterator[list[str]]:
    for name in _names():
        cells = [_beside(run, name, rule) for rule in (OURS, *RULES)]
        if all(cells):
            yield [name, *[cell for pair in cells if pair for cell in pair]]


def _beside(run: Run, world: str, rule: str) -> tuple[str, str] | None:
    """Return a rule's share of healthy releases that failed, and of bad ones that passed."""
    found = [run.get(Cell(world, fault, PEERS_PER_S, rule)) for fault in _MAIN]
    if not all(found):
        return None
    healthy, *bad = [each for each in found if each]
    return f"{healthy.share('fail') * 100:.3g}", f"{_sum(bad).share('pass') * 100:.3g}"


def as_text(found: Sequence[Table]) -> Iterator[str]:
    """Write the tables for a terminal."""
    for table in found:
        widths = [max(len(row[at]) for row in (table.heads, *table.rows)) for at in range(len(table.heads))]
        yield f"\n{table.title} (percent: pass / fail / held)"
        for row in (table.heads, *table.rows):
            yield "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))


def write(run: Run, of: tuple[int, int], folder: Path) -> str:
    """Write docs/judge.md of a run with this seed and so many releases; returns what was written."""
    seed, releases = of
    found = tables(run)
    lines = [INTRODUCTION.format(seed=seed, releases=releases, worlds=_list_of_worlds()), *_markdown(found)]
    (folder / "judge.md").write_text("\n".join(lines))
    return "docs/judge.md"


def _list_of_worlds() -> str:
    worlds = "\n".join(f"- **{world.name}**: {world.says}." for world in (*WORLDS, *[world for world, _ in SPECIAL]))
    faults = "\n".join(f"- **{fault.name}**: {fault.says}." for fault in (*FAULTS, *[fault for _, fault in SPECIAL]))
    return f"{worlds}\n\nWhat is wrong with a canary:\n\n{faults}"


def _markdown(found: Sequence[Table]) -> Iterator[str]:
    for table in found:
        yield f"\n## {table.title}\n"
        yield f"| {' | '.join(table.heads)} |"
        yield f"|{'---|' * len(table.heads)}"
        for row in table.rows:
            yield f"| {' | '.join(row)} |"
    yield ""

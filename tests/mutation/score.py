"""The mutation score of a sample: `python -m tests.mutation.score --seed 1 --mutants 45`.

Each sampled mutant is run against the fast tests of its package and then of its file (`suites.py`). It is killed if one
of them fails, or they don't end. The package's tests pass without a mutant; a test of the file's is run once more
without it. The score is the killed ones' share of all, those that no test could kill included.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from tests.mutation.equivalents import reason_of
from tests.mutation.page import write
from tests.mutation.sampling import LIBRARY, Sampled, sampled
from tests.mutation.suites import PACKAGES, suites_of
from tests.mutation.tree import CHECKOUT, SourceTree, copied
from tests.mutation.trial import Selection, Trial, run

# Of processor time. The slowest suite takes 40 s.
_LONGEST_S = 150

Say = Callable[[str], None]


class Result(NamedTuple):
    """What became of a mutant.

    Attributes:
        sampled: the mutant.
        killed_by: the first test that failed; None if it survived.
        seconds: how long that took.
    """

    sampled: Sampled
    killed_by: str | None
    seconds: float

    @property
    def line(self) -> str:
        """It, on one line."""
        mutant = self.sampled.mutant
        end = f"killed by {self.killed_by}" if self.killed_by is not None else "SURVIVED"
        return f"{self.sampled.place}  {mutant.operator}  {mutant.change}  {end}  ({self.seconds:.1f} s)"


class Record:
    """The mutants that were killed already, in a file: by its tests of then, which the tests of now include.

    Args:
        file: where they are kept; None: nowhere.
    """

    def __init__(self, file: Path | None) -> None:
        self._file = file
        lines = file.read_text("utf-8").splitlines() if file is not None and file.exists() else []
        self._killed: dict[str, tuple[str, float]] = {key: (by, took) for key, by, took in map(json.loads, lines)}

    def known(self, one: Sampled) -> Result | None:
        """Return how a mutant of this very source was killed."""
        found = self._killed.get(self._key(one))
        return None if found is None else Result(one, *found)

    def keep(self, result: Result) -> None:
        """Keep it, if it was killed."""
        if self._file is not None and result.killed_by is not None:
            with self._file.open("a", encoding="utf-8") as file:
                file.write(json.dumps([self._key(result.sampled), result.killed_by, result.seconds]) + "\n")

    @staticmethod
    def _key(one: Sampled) -> str:
        source = (CHECKOUT / one.file).read_bytes()
        return f"{one.file} {sha256(source).hexdigest()[:16]} {one.mutant.at} {one.mutant.operator} {one.mutant.after}"


def tried(tree: SourceTree, one: Sampled) -> Result:
    """Run a mutant against its suites."""
    source = (tree.folder / one.file).read_text("utf-8")
    seconds = 0.0
    for number, suite in enumerate(suites_of(one.file.removeprefix(f"{LIBRARY}/"))):
        with tree.changed(one.file, one.mutant.applied(source)):
            trial = _named(tree, suite)
        seconds += trial.seconds
        if trial.passed:
            continue
        if number and trial.at and not run(tree, Selection((trial.first,), suite.stores), _LONGEST_S).passed:
            continue
        return Result(one, trial.first if trial.code is not None else "no end", seconds)
    return Result(one, None, seconds)


def _named(tree: SourceTree, suite: Selection) -> Trial:
    """Run a suite, and once more if it ends without naming a test: it didn't start, or was ended from outside."""
    trial = run(tree, suite, _LONGEST_S)
    nameless = not trial.passed and not trial.at and trial.code is not None
    return run(tree, suite, _LONGEST_S) if nameless else trial


def table(counts: dict[str, tuple[int, list[Result]]]) -> list[str]:
    """Return the score's table, as lines of Markdown."""
    lines = [
        "| package | mutants | sampled | killed | score | equivalent | score without them |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for package, (every, results) in counts.items():
        killed = sum(result.killed_by is not None for result in results)
        same = sum(result.killed_by is None and reason_of(result.sampled) is not None for result in results)
        score, without = killed / len(results), killed / (len(results) - same)
        lines.append(f"| `{package}` | {every} | {len(results)} | {killed} | {score:.0%} | {same} | {without:.0%} |")
    return lines


def survivors(counts: dict[str, tuple[int, list[Result]]]) -> list[str]:
    """Return the survivors' table, as lines of Markdown."""
    lines = ["| survivor | change | equivalent, because |", "|---|---|---|"]
    for _, results in counts.values():
        for one in (result.sampled for result in results if result.killed_by is None):
            change = one.mutant.change.replace("|", "\\|")
            lines.append(f"| `{one.place}` | `{change}` | {reason_of(one) or 'it is not: no fast test sees it'} |")
    return lines


def main(arguments: Sequence[str] | None = None, say: Say = print) -> int:
    """Sample, run, and print; 1 if a package's score is below the least."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation.score", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--mutants", type=int, default=45, help="how many of each package")
    parser.add_argument("--package", choices=list(PACKAGES), nargs="*", default=list(PACKAGES))
    parser.add_argument("--least", type=float, default=0.85, help="the least score")
    parser.add_argument("--write", type=Path, help="a page, in which the tables are written between their marks")
    parser.add_argument("--record", type=Path, help="a file of killed mutants, which aren't run again")
    chosen = parser.parse_args(arguments)
    record, counts = Record(chosen.record), dict[str, tuple[int, list[Result]]]()
    with copied() as tree:
        for package in chosen.package:
            trial = run(tree, PACKAGES[package], _LONGEST_S)
            if not trial.passed:
                say(f"without a mutant, too, the tests of {package} end with {trial.first}")
                return 2
            drawn, every = sampled(package, chosen.mutants, chosen.seed)
            results = []
            for one in drawn:
                result = record.known(one)
                if result is None:
                    result = tried(tree, one)
                    record.keep(result)
                    say(result.line)
                results.append(result)
            counts[package] = every, results
    told = "\n".join([f"Seed {chosen.seed}.", "", *table(counts), "", *survivors(counts)])
    say(told)
    if chosen.write is not None:
        write(chosen.write, "score", told)
    scores = [sum(r.killed_by is not None for r in results) / len(results) for _, results in counts.values()]
    return int(min(scores) < chosen.least)


if __name__ == "__main__":
    sys.exit(main())

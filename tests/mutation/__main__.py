"""Deliberate faults, and the tests that find them: `python -m tests.mutation`.

Each fault of faults.toml is made in a copy of the sources, and its tests are run there until the first that fails. At
the end those that failed must pass without a fault. The exit status is 1 if a fault survives.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.mutation.faults import Fault, faults
from tests.mutation.page import write
from tests.mutation.tree import SourceTree, copied
from tests.mutation.trial import Selection, Trial, run

# Of processor time.
_LONGEST_S = 60
_ALL_S = 600

Say = Callable[[str], None]


def found(tree: SourceTree, fault: Fault) -> Trial:
    """Run a fault's tests with the fault."""
    with tree.changed(fault.path, fault.applied((tree.folder / fault.path).read_text("utf-8"))):
        return run(tree, fault.selection, _LONGEST_S)


def row(fault: Fault, trial: Trial) -> str:
    """Return a fault's line of the table."""
    by = (
        f"`{trial.first.rpartition('/')[2]}`".replace("|", "/")
        if trial.failed
        else f"**nobody**: {trial.at} {trial.first}"
    )
    return f"| {fault.name} | `{fault.file}` | {fault.breaks} | {by} | {trial.seconds:.1f} |"


def unfaulted(tree: SourceTree, found_by: Mapping[str, set[str]]) -> str | None:
    """Run the tests that failed, by their stores, without a fault; return the first that fails again, or None."""
    for stores, tests in found_by.items():
        trial = run(tree, Selection(tuple(sorted(tests)), stores), _ALL_S)
        if not trial.passed:
            return trial.first
    return None


def main(arguments: Sequence[str] | None = None, say: Say = print) -> int:
    """Make each fault, and print who finds it; 1 if one survives."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("--only", nargs="*", default=[""], help="the faults whose name or file contains one of these")
    parser.add_argument("--write", type=Path, help="a page, in which the table is written between its marks")
    chosen = parser.parse_args(arguments)
    every = [fault for fault in faults() if any(word in f"{fault.name} {fault.file}" for word in chosen.only)]
    with copied() as tree:
        lines, survived, late = ["| fault | in | breaks | found by | seconds |", "|---|---|---|---|---:|"], 0, 0
        found_by = defaultdict[str, set[str]](set)
        say("\n".join(lines))
        for fault in every:
            trial = found(tree, fault)
            survived += not trial.failed
            late += trial.seconds > 60
            lines.append(row(fault, trial))
            say(lines[-1])
            if trial.failed:
                found_by[fault.selection.stores].add(trial.first)
        if (failing := unfaulted(tree, found_by)) is not None:
            say(f"without a fault, too: {failing}")
            return 2
    total = f"{len(every) - survived} of {len(every)} faults found, {len(every) - late} of them within 60 s."
    say(total)
    if chosen.write is not None:
        write(chosen.write, "faults", "\n".join([*lines, "", total]))
    return int(survived > 0)


if __name__ == "__main__":
    sys.exit(main())

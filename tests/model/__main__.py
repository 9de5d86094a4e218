"""Check every model, and print what was explored: `python -m tests.model`; `--deep` with wider bounds."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable, Sequence
from typing import Any

from tests.model import chain, claims, release_programs, releases
from tests.model.checker import Model, check


def main(arguments: Sequence[str] | None = None, say: Callable[[str], None] = print) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.model", description=__doc__)
    parser.add_argument("--deep", action="store_true", help="wider bounds")
    parser.add_argument("--only", default="", help="models whose names begin so")
    chosen = parser.parse_args(arguments)
    logging.disable(logging.CRITICAL)  # the library tells of each fault, a million times
    models: list[Model[Any]] = [each for of in (claims, chain, releases) for each in of.models(deep=chosen.deep)]
    say("| model | bounds | states | transitions | depth | invariants held | seconds |")
    say("|---|---|---:|---:|---:|---:|---:|")
    failed = False
    for model in models:
        if not model.name.startswith(chosen.only):
            continue
        with release_programs.inside():
            found = check(model, most_states=20_000_000)
        held = "no" if found.violation else f"{len(model.invariants) + 2}"
        say(
            f"| {model.name} | {model.bounds} | {found.states:,} | {found.transitions:,} | {found.depth} "
            f"| {held} | {found.seconds:.1f} |"
        )
        if found.violation:
            failed = True
            say(str(found.violation))
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())

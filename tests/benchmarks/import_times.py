"""What `python -X importtime` says, by package."""

from __future__ import annotations

import re
import statistics
import sys
from collections import Counter
from collections.abc import Mapping, Sequence

_LINE = re.compile(r"import time:\s+(\d+) \|\s+\d+ \| +(\S+)")


def by_package(said: str) -> Counter[str]:
    """The time that the packages' own modules took, in microseconds; of the standard library by module."""
    times: Counter[str] = Counter()
    for self_us, module in _LINE.findall(said):
        times[_package(module)] += int(self_us)
    return times


def medians(runs: Sequence[Mapping[str, int]]) -> dict[str, float]:
    """Each package's median over the runs, in milliseconds."""
    names = {name for run in runs for name in run}
    return {name: statistics.median(run.get(name, 0) for run in runs) / 1000 for name in names}


def _package(module: str) -> str:
    top = module.split(".", 1)[0]
    if top == "tests":
        return "the application's own module"
    return f"{top} (standard library)" if top in sys.stdlib_module_names else top

"""What `python -X importtime` says, by package."""

from __future__ import annotations

import re
import sys
from collections import Counter

_LINE = re.compile(r"import time:\s+(\d+) \|\s+\d+ \| +(\S+)")


def by_package(said: str, after: str) -> dict[str, float]:
    """The time that the packages' own modules took, in milliseconds; of the standard library by module.

    Args:
        said: the interpreter's standard error.
        after: the module whose import ends what an interpreter does before the program begins.
    """
    times: Counter[str] = Counter()
    for self_us, module in _LINE.findall(said.partition(f" {after}\n")[2]):
        times[_package(module)] += int(self_us)
    return {package: us / 1000 for package, us in times.items()}


def _package(module: str) -> str:
    top = module.split(".", 1)[0]
    if top == "tests":
        return "the application's own module"
    return f"{top} (standard library)" if top in sys.stdlib_module_names else top

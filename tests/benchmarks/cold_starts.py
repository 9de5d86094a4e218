"""Cold starts of contenders, in turns."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks import processes

PROGRAM = "tests.benchmarks.programs.cold"
PARTS = ("import", "first", "second", "after")


@dataclass(frozen=True)
class Start:
    """The medians of one contender's cold starts, in milliseconds; `ratios` to the bare one of the same round."""

    import_ms: float
    first_ms: float
    second_ms: float
    after_ms: float
    ratios: Sequence[float]

    @property
    def total_ms(self) -> float:
        """Import and first request: what the first client waits for."""
        return self.import_ms + self.first_ms

    @property
    def ratio(self) -> float:
        """The median ratio to the bare application."""
        return statistics.median(self.ratios)


def measure(names: Sequence[str], event_file: Path, rounds: int, variables: Mapping[str, str]) -> dict[str, Start]:
    """Start everyone once a round; the first, unmeasured round compiles what isn't compiled.

    `names[0]` is the bare application.
    """
    seen: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    for number in range(rounds + 1):
        for name in names:
            done = processes.run(PROGRAM, name, str(event_file), deadline_s=60, **variables)
            if number:
                seen[name].append(json.loads(done.stderr.splitlines()[-1]))
    bare = [_total(start) for start in seen[names[0]]]
    return {name: _start(starts, bare) for name, starts in seen.items()}


def _start(starts: Sequence[Mapping[str, float]], bare: Sequence[float]) -> Start:
    middle = (statistics.median(start[part] for start in starts) for part in PARTS)
    return Start(*middle, ratios=[_total(start) / base for start, base in zip(starts, bare, strict=True)])


def _total(start: Mapping[str, float]) -> float:
    return start["import"] + start["first"]

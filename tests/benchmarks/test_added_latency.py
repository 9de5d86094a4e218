"""What a library adds to a warm GET, in round trips that one could have had for it."""

import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from tests.benchmarks import processes
from tests.benchmarks.chart import Panel
from tests.benchmarks.programs import latency
from tests.benchmarks.report import Goal, Section, Table

HOW = (
    "One process, a REST API event through Mangum, Redis on loopback. Everyone in turns, each on the event loop that "
    f"its handler has in a function of its own, {latency.ROUNDS} rounds of {latency.REQUESTS_A_ROUND} requests; of "
    "every round the median, less the bare application's of the same round. The unit is what one EVALSHA adds to a "
    "request: the bare application again, whose handler makes one (redis-py, a script of one INCR). Shown are medians "
    "over the rounds, and between which values half of them lay. First with Redis on another core, as if it were "
    "elsewhere: either side falls asleep and has to be woken. Then with both on one core: nobody does, so that it is "
    "work alone. Tidegate sends the RateLimit fields and writes one structured log line per request (to a file) in "
    "every row; `no log line` is the same without it. The peers log nothing."
)


@dataclass(frozen=True)
class Measured:
    """One placement's rounds, in microseconds.

    Attributes:
        unit: what one EVALSHA added to a request.
        loop: one EVALSHA in a loop of nothing else.
        bare: the bare application.
        added: what each contender added to it.
    """

    unit: Sequence[float]
    loop: Sequence[float]
    bare: Sequence[float]
    added: dict[str, Sequence[float]]

    def ratios(self, name: str) -> list[float]:
        """What a contender added, in units, round by round."""
        return [us / unit for us, unit in zip(self.added[name], self.unit, strict=True)]

    def ratio(self, name: str) -> float:
        """The median of these."""
        return statistics.median(self.ratios(name))

    def loop_ratio(self, name: str) -> float:
        """The same in EVALSHAs as a loop of them takes."""
        return statistics.median(us / loop for us, loop in zip(self.added[name], self.loop, strict=True))


def test_added_latency(redis_url, dynamo, library_table, tmp_path, report):
    variables = processes.function(redis_url, dynamo.endpoint_url, library_table)

    def measured(placement):
        result = tmp_path / f"{placement}.json"
        processes.run("tests.benchmarks.programs.latency", placement, redis_url, str(result), **variables)
        return _read(json.loads(result.read_text()))

    apart, together = measured("apart"), measured("together")
    section = Section("added-latency", "Added to a warm GET", HOW)
    columns = ("contender", "another core", "half of the rounds", "µs", "one core", "half of the rounds", "µs")
    rows = [(name, *_cells(apart, name), *_cells(together, name)) for name in apart.added]
    section.tables.append(Table("Time added to a warm GET through Mangum, in EVALSHA round trips", columns, rows))
    section.notes += [_note("On another core", apart), _note("On one core", together)]
    section.goals.append(_goal("Tidegate, 1 limit", apart, together))
    section.panel = Panel(
        "added to a warm GET, in EVALSHAs (Redis on another core)",
        [(name, apart.ratio(name)) for name in apart.added],
        goal=2.0,
    )
    report.add(section)
    assert statistics.median(apart.unit) > 0


def _read(medians: dict[str, list[float]]) -> Measured:
    loop, bare, unit = (medians.pop(name) for name in (latency.UNIT, latency.BARE, latency.WITH_UNIT))
    return Measured(_less(unit, bare), loop, bare, {name: _less(took, bare) for name, took in medians.items()})


def _less(took: Sequence[float], bare: Sequence[float]) -> list[float]:
    return [one - base for one, base in zip(took, bare, strict=True)]


def _cells(measured: Measured, name: str) -> tuple[str, str, str]:
    low, middle, high = statistics.quantiles(measured.ratios(name), n=4)
    return (f"{middle:.2f}", f"{low:.2f} to {high:.2f}", f"{statistics.median(measured.added[name]):.0f}")


def _note(where: str, measured: Measured) -> str:
    unit, loop, bare = (statistics.median(one) for one in (measured.unit, measured.loop, measured.bare))
    return (
        f"{where} one EVALSHA adds {unit:.0f} µs to a request, and takes {loop:.0f} µs in a loop of nothing else, in "
        f"which nothing grows cold; in units of the latter Tidegate with one limit adds "
        f"{measured.loop_ratio('Tidegate, 1 limit'):.2f}. The bare application takes {bare:.0f} µs."
    )


def _goal(name: str, apart: Measured, together: Measured) -> Goal:
    told = f"{apart.ratio(name):.2f}; on one core {together.ratio(name):.2f}"
    return Goal("added to a warm GET, EVALSHA round trips", told, "≤ 2.0", apart.ratio(name) <= 2.0)

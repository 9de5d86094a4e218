"""What a library adds to a warm GET, in round trips that one could have had for it."""

import json
import statistics

from tests.benchmarks import processes
from tests.benchmarks.chart import Panel
from tests.benchmarks.programs import latency
from tests.benchmarks.report import Goal, Section, Table

HOW = (
    f"One process, one event loop, a REST API event through Mangum, Redis on loopback. Everyone in turns, "
    f"{latency.ROUNDS} rounds of {latency.REQUESTS_A_ROUND} requests; of every round the median, less the bare "
    "application's in the same round, over the median of a bare EVALSHA (redis-py, a script of one INCR) in the "
    "same round. Shown: the median over the rounds, and between which values half of them lay. Tidegate sends the "
    "RateLimit fields and writes one structured log line per request in every row; `no log line` is the same "
    "without it. The peers log nothing."
)


def test_added_latency(redis_url, dynamo, library_table, tmp_path, report):
    result = tmp_path / "latency.json"
    variables = processes.function(redis_url, dynamo.endpoint_url, library_table)
    processes.run("tests.benchmarks.programs.latency", redis_url, str(result), **variables)
    medians = json.loads(result.read_text())
    units, bare = medians.pop(latency.UNIT), medians.pop(latency.BARE)
    added = {
        name: [(took - base) / unit for took, base, unit in zip(rounds, bare, units, strict=True)]
        for name, rounds in medians.items()
    }
    section = Section("added-latency", "Added to a warm GET", HOW)
    section.tables.append(
        Table(
            "Time added to a warm GET through Mangum, in bare EVALSHA round trips",
            ("contender", "round trips' time", "half of the rounds", "µs per request"),
            [_row(name, ratios, medians[name]) for name, ratios in added.items()],
        )
    )
    section.notes.append(
        f"The unit, one bare EVALSHA, took {statistics.median(units):.0f} µs; the bare application "
        f"{statistics.median(bare):.0f} µs, {statistics.median(b / u for b, u in zip(bare, units, strict=True)):.1f} "
        "round trips."
    )
    ours = statistics.median(added["Tidegate, 1 limit"])
    section.goals.append(Goal("added to a warm GET, EVALSHA round trips", f"{ours:.2f}", "≤ 2.0", ours <= 2.0))
    section.panel = Panel(
        "added to a warm GET, in bare EVALSHA round trips",
        [(name, statistics.median(ratios)) for name, ratios in added.items()],
        goal=2.0,
    )
    report.add(section)
    assert all(value > 0 for value in units)


def _row(name, ratios, rounds):
    low, middle, high = statistics.quantiles(ratios, n=4)
    return (name, f"{middle:.2f}", f"{low:.2f} to {high:.2f}", f"{statistics.median(rounds):.0f}")

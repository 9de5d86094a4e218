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
    "application's of the same round. The unit is what one EVALSHA adds to a request: the bare application again, "
    "whose handler makes one (redis-py, a script of one INCR). A loop of nothing but EVALSHAs is the last column's "
    "unit: it is shorter, because nothing falls asleep between two of them. Shown are medians over the rounds, and "
    "between which values half of them lay. Tidegate sends the RateLimit fields and writes one structured log line "
    "per request in every row; `no log line` is the same without it. The peers log nothing."
)


def test_added_latency(redis_url, dynamo, library_table, tmp_path, report):
    result = tmp_path / "latency.json"
    variables = processes.function(redis_url, dynamo.endpoint_url, library_table)
    processes.run("tests.benchmarks.programs.latency", redis_url, str(result), **variables)
    medians = json.loads(result.read_text())
    tight, bare = medians.pop(latency.UNIT), medians.pop(latency.BARE)
    units = _less(medians.pop(latency.WITH_UNIT), bare)
    added = {name: _less(took, bare) for name, took in medians.items()}
    section = Section("added-latency", "Added to a warm GET", HOW)
    section.tables.append(
        Table(
            "Time added to a warm GET through Mangum, in EVALSHA round trips",
            ("contender", "EVALSHAs in a request", "half of the rounds", "µs", "EVALSHAs in a loop"),
            [_row(name, us, units, tight) for name, us in added.items()],
        )
    )
    in_a_request, in_a_loop = statistics.median(units), statistics.median(tight)
    section.notes.append(
        f"One EVALSHA took {in_a_request:.0f} µs in a request and {in_a_loop:.0f} µs in a loop; the bare application "
        f"takes {statistics.median(bare):.0f} µs."
    )
    section.goals.append(_goal(added["Tidegate, 1 limit"], units, tight))
    section.panel = Panel(
        "added to a warm GET, in EVALSHA round trips made in a request",
        [(name, statistics.median(_ratios(us, units))) for name, us in added.items()],
        goal=2.0,
    )
    report.add(section)
    assert in_a_request > 0


def _goal(ours, units, tight):
    ratio, in_loops = statistics.median(_ratios(ours, units)), statistics.median(_ratios(ours, tight))
    told = f"{ratio:.2f} ({in_loops:.2f} of those in a loop)"
    return Goal("added to a warm GET, EVALSHA round trips", told, "≤ 2.0", ratio <= 2.0)


def _less(took, bare):
    return [one - base for one, base in zip(took, bare, strict=True)]


def _ratios(added, units):
    return [us / unit for us, unit in zip(added, units, strict=True)]


def _row(name, added, units, tight):
    low, middle, high = statistics.quantiles(_ratios(added, units), n=4)
    in_loops = statistics.median(_ratios(added, tight))
    return (name, f"{middle:.2f}", f"{low:.2f} to {high:.2f}", f"{statistics.median(added):.0f}", f"{in_loops:.2f}")

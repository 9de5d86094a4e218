"""Decisions per second and core, in Redis and in memory; and what our parts without I/O take."""

import json
import statistics

import pytest

from tests.benchmarks import deciders, peers, processes
from tests.benchmarks.chart import Panel
from tests.benchmarks.programs import decisions
from tests.benchmarks.programs.latency import UNIT
from tests.benchmarks.report import Section, Table

HOW = (
    f"One core, which the client's one thread shares with Redis; no application around it, {len(decisions.CALLERS)} "
    f"callers, a limit that admits all; everyone in turns, {decisions.ROUNDS} rounds, medians. The ratio is to ours in "
    "the same round. `client µs` is the process's own processor time for one decision: what bounds decisions per "
    "second where Redis has a core of its own. Tidegate makes one question per decision, as the guard does."
)
PARTS = "What stands between a request and its store, called alone, without I/O; the same program."


@pytest.fixture(scope="module")
def measured(_shared_redis, tmp_path_factory):
    """All times by place, contender and round."""
    _shared_redis.heal()
    result = tmp_path_factory.mktemp("decisions") / "decisions.json"
    processes.run("tests.benchmarks.programs.decisions", _shared_redis.url, str(result))
    return json.loads(result.read_text())


def test_decisions(measured, report):
    section = Section("decisions", "Decisions per second and core", HOW)
    ours = deciders.in_redis()[0].name
    section.tables = [
        _table("In Redis on loopback", measured["redis"], ours, deciders.in_redis()),
        _table("In memory", measured["memory"], ours, deciders.in_memory()),
    ]
    section.panel = Panel(
        "decisions per second in Redis, all on one core",
        [(name, 1e6 / statistics.median(took["wall"])) for name, took in measured["redis"].items() if name != UNIT],
    )
    report.add(section)


def test_parts_in_memory(measured, report):
    section = Section("in-memory-parts", "Breaker and memory store", PARTS)
    rows = [
        (name, f"{statistics.median(took['wall']):.2f}", f"{min(took['wall']):.2f}")
        for name, took in measured["parts"].items()
    ]
    section.tables.append(Table("Microseconds per call", ("part", "median µs", "best round µs"), rows))
    report.add(section)


def _table(title, measured, ours, everyone):
    columns = ("contender", "decisions/s", "ours is faster by", "µs", "client µs")
    rows = [_row(name, took, measured[ours]) for name, took in measured.items()]
    rows += [(one.name, why, "", "", "") for one in everyone if (why := peers.missing(*one.needs))]
    return Table(title, columns, rows)


def _row(name, took, ours):
    wall = statistics.median(took["wall"])
    ratio = statistics.median(theirs / own for theirs, own in zip(took["wall"], ours["wall"], strict=True))
    return (name, f"{1e6 / wall:,.0f}", f"{ratio:.2f}x", f"{wall:.1f}", f"{statistics.median(took['cpu']):.1f}")

"""What one caller that may be idle costs in Redis: MEMORY USAGE of its keys, and the server's own account."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from tests.benchmarks import contenders, deciders, events, peers, processes
from tests.benchmarks.chart import Panel
from tests.benchmarks.deciders import Decider, Rate
from tests.benchmarks.output import log_lines_away
from tests.benchmarks.programs.latency import invoke
from tests.benchmarks.report import Goal, Section, Table
from tests.harness.lambda_events import LambdaContext

CALLERS = 10_000
ROUTE = "/products"
HOW = (
    f"{CALLERS:,} callers, each named by an API key's id of ten characters, make one request each for one route with "
    "one limit of 100 an hour, so that nothing expires meanwhile; then MEMORY USAGE (all samples) of every key, "
    "summed, and the growth of used_memory, over the callers. Tidegate is asked through the whole application, the "
    "peers by their own calls with the caller and the route as the key. What isn't a caller's (scripts, the fleet's "
    "heartbeats) is in the growth only."
)


@pytest.fixture
def through_the_application(redis_url, dynamo, library_table, monkeypatch, lambda_loop: asyncio.AbstractEventLoop):
    """Ours: a call is a request of that caller."""
    for name, value in processes.function(redis_url, dynamo.endpoint_url, library_table).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TIDEGATE_DECISION_BUDGET_MS", "3000")  # not about time: a busy machine must not fail over
    handler = contenders.tidegate(rate="100/h")
    yield lambda caller: invoke(handler, (events.get(caller), LambdaContext()))
    contenders.close(handler)


def test_bytes_per_key(redis_server, through_the_application, report):
    rows, bars = [], []
    with log_lines_away():
        ours = _measure(redis_server, through_the_application)
    rows.append(_row("Tidegate, token bucket (GCRA)", ours))
    bars.append(("Tidegate, token bucket (GCRA)", ours[0]))
    for peer in deciders.in_redis()[1:]:
        if why := peers.missing(*peer.needs):
            rows.append((peer.name, why, "", ""))
            continue
        redis_server.flush()
        told = _measure(redis_server, _direct(peer, redis_server.url))
        rows.append(_row(peer.name, told))
        bars.append((peer.name, told[0]))
    section = Section("bytes-per-key", "Bytes in Redis per caller", HOW)
    columns = ("contender", "MEMORY USAGE", "growth of used_memory", "keys")
    section.tables.append(Table("Bytes per caller", columns, rows))
    section.goals.append(Goal("bytes per idle-able caller, MEMORY USAGE", f"{ours[0]:.0f}", "≤ 110", ours[0] <= 110))
    section.panel = Panel("bytes in Redis per caller (MEMORY USAGE)", bars, goal=110)
    report.add(section)


def _direct(peer: Decider, url: str) -> Callable[[str], Any]:
    decide = peer.make(url, Rate(100, 3600))
    return lambda caller: decide(f"{caller}:{ROUTE}")


def _measure(server: Any, ask: Callable[[str], Any]) -> tuple[float, float, float]:
    """MEMORY USAGE, growth and number of keys, each per caller."""
    ask("a-caller-0")  # scripts and whatever else comes once
    before = server.info("memory")["used_memory"]
    for n in range(CALLERS):
        ask(f"k{n:09}")
    grown = server.info("memory")["used_memory"] - before
    with server.client() as client:
        keys = [key for key in client.scan_iter(count=1000) if b"{fleet:" not in key and b":probe" not in key]
        pipe = client.pipeline(transaction=False)
        for key in keys:
            pipe.memory_usage(key, samples=0)
        used = sum(size or 0 for size in pipe.execute())
    assert len(keys) >= CALLERS
    return used / CALLERS, grown / CALLERS, len(keys) / CALLERS


def _row(name: str, told: tuple[float, float, float]) -> tuple[str, ...]:
    used, grown, keys = told
    return (name, f"{used:.0f}", f"{grown:.0f}", f"{keys:.2f}")

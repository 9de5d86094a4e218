"""One hot thing: two hundred misses at once, and its expiry under a steady flow."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from tests.benchmarks import peers
from tests.benchmarks.cached_apps import CONTENDERS, ORIGIN_S
from tests.benchmarks.chart import Panel
from tests.benchmarks.programs import cached
from tests.benchmarks.report import Goal, Section, Table
from tests.harness.processes import run_at_once

PROCESSES, AT_ONCE = 4, 50
FLOWING, PER_S, LASTS_S, TTL_S = 2, 250, 5.0, 1
ROUNDS = 3
FOREVER_S = 3600

STAMPEDE = (
    f"{PROCESSES} processes with {AT_ONCE} requests each ask at once, through FastAPI, for one thing that is in no "
    f"cache; its origin takes {cached.SLOW_ORIGIN_S} s. Commands are what a proxy in front of Redis has seen, "
    "connecting included. Tidegate's requests are limited, too, in the same question."
)
EXPIRY = (
    f"{FLOWING} processes ask {PER_S} times a second each for {LASTS_S:.0f} s, in an open loop, for one thing that is "
    f"fresh for {TTL_S} s and takes {ORIGIN_S} s to make; a latency counts from when its request was due. In "
    f"turns with it the same with a thing that never expires. Of {ROUNDS} rounds the medians."
)


def test_stampede(redis_server, tcp_proxy, report):
    section = Section("stampede", "Stampede", STAMPEDE)
    rows, bars = [], []
    for name, (needs, _) in CONTENDERS.items():
        if why := peers.missing(*needs):
            rows.append((name, why, "", ""))
            continue
        redis_server.command("FLUSHALL")
        to_redis = tcp_proxy(redis_server.port)
        seen = _run(cached.stampede, name, to_redis.url(redis_server.url), FOREVER_S, AT_ONCE, processes=PROCESSES)
        computed = sum(one.computed for one in seen)
        commands = len(to_redis.commands) / (PROCESSES * AT_ONCE)
        rows.append((name, str(computed), f"{commands:.1f}", f"{_p99(seen):.0f}"))
        bars.append((f"{name}: commands", commands))
        if name == "Tidegate":
            section.goals += [
                Goal("computations of 200 misses at once", str(computed), "1", computed == 1),
                Goal("Redis commands a request", f"{commands:.1f}", "≤ 3", commands <= 3),
            ]
    columns = ("contender", "computations", "commands a request", "p99 ms")
    section.tables.append(Table("200 concurrent misses of one key", columns, rows))
    section.panel = Panel("Redis commands a request, 200 misses at once", bars, goal=3.0)
    report.add(section)
    assert rows


def test_expiry(redis_server, report):
    section = Section("expiry", "Expiry of a hot key", EXPIRY)
    rows = []
    for name, (needs, _) in CONTENDERS.items():
        if why := peers.missing(*needs):
            rows.append((name, why, "", "", "", ""))
            continue
        plain, hot = (_flow(redis_server, name, ttl_s) for ttl_s in (FOREVER_S, TTL_S))
        each = sum(one.computed for one in hot) / (LASTS_S / TTL_S)
        ratio = _p99(hot) / _p99(plain)
        rows.append((name, f"{each:.2f}", f"{_p50(hot):.1f}", f"{_p99(hot):.1f}", f"{_p99(plain):.1f}", f"{ratio:.2f}"))
        if name == "Tidegate":
            section.goals += [
                Goal("computations an expiry, 500 a second", f"{each:.2f}", "1", each <= 1.25),
                Goal("p99 over expiries, by plain hits'", f"{ratio:.2f}", "≤ 2", ratio <= 2),
            ]
    columns = ("contender", "computations an expiry", "p50 ms", "p99 ms", "p99 ms, plain hits", "ratio")
    section.tables.append(Table("One hot key at 500 requests a second", columns, rows))
    section.notes.append("An expiry is a second of the run: what renews early renews more often than that.")
    report.add(section)
    assert rows


def _flow(redis_server: Any, name: str, ttl_s: int) -> Sequence[cached.Measured]:
    redis_server.command("FLUSHALL")
    return _run(cached.flow, name, redis_server.url, ttl_s, PER_S, LASTS_S, processes=FLOWING)


def _run(function: Any, *args: Any, processes: int) -> Sequence[cached.Measured]:
    return run_at_once(function, *args, processes=processes, threads=1, prepare=cached.prepare, deadline_s=120)


def _all(seen: Sequence[cached.Measured]) -> list[float]:
    return [ms for one in seen for ms in one.latencies_ms]


def _p99(seen: Sequence[cached.Measured]) -> float:
    return statistics.quantiles(_all(seen), n=100)[98]


def _p50(seen: Sequence[cached.Measured]) -> float:
    return statistics.median(_all(seen))

"""On a server: requests per second and the 99th percentile, with one limit, beside the peers."""

from __future__ import annotations

import contextlib
import re
import shutil
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from tests.benchmarks import peers
from tests.benchmarks.chart import Panel
from tests.benchmarks.programs.served import CONTENDERS
from tests.benchmarks.report import Goal, Section, Table
from tests.harness.ports import free_port

CONNECTIONS = (1, 8, 32, 128)
ROUNDS, SECONDS = 3, 2
WRK = shutil.which("wrk")
HOW = (
    "Each application is one uvicorn process with Redis on loopback; wrk asks it by one thread. All are up at once and "
    f"asked in turns, {ROUNDS} rounds of {SECONDS} s for each number of connections; the median counts. Ours writes "
    "its fields, and its line into a file where it says so; the peers write neither unless the row says so."
)


class Seen(NamedTuple):
    """What wrk saw."""

    per_s: float
    p99_ms: float
    errors: int


@pytest.mark.skipif(WRK is None, reason="wrk isn't installed: apt install wrk")
def test_server(fresh_redis, tmp_path, report):
    section = Section("server", "On a server", HOW)
    with contextlib.ExitStack() as closing:
        absent = {name: why for name, (needs, _) in CONTENDERS.items() if (why := peers.missing(*needs))}
        ports = {
            name: closing.enter_context(_served(name, fresh_redis.url, tmp_path))
            for name in CONTENDERS
            if name not in absent
        }
        seen: dict[tuple[str, int], list[Seen]] = {}
        for _ in range(ROUNDS):
            for connections in CONNECTIONS:
                for name, port in ports.items():
                    seen.setdefault((name, connections), []).append(_asked(port, connections))
        section.tables += [
            _table(
                "Requests per second",
                ports,
                absent,
                lambda name, c: f"{_shown(seen[name, c])}",
            ),
            _table("99th percentile, ms", ports, absent, lambda name, c: f"{_p99(seen[name, c]):.1f}"),
        ]
        _goals(section, seen, ports)
        section.panel = Panel("requests/s, 32 connections", [(name, _per_s(seen[name, 32])) for name in ports])
        section.tables.append(_hung(fresh_redis, ports, seen))
    report.add(section)


def _hung(redis, ports, seen) -> Table:
    """Ours, while Redis hangs: its requests go on by this process' memory."""
    redis.stop()
    try:
        rows = []
        for name, port in ports.items():
            if not name.startswith("Tidegate"):
                continue
            _asked(port, 32)  # its breaker learns of it
            now = _asked(port, 32)
            rows.append(
                (name, f"{_p99(seen[name, 32]):.1f}", f"{now.p99_ms:.1f}", f"{now.per_s:,.0f}", str(now.errors))
            )
    finally:
        redis.cont()
    columns = ("contender", "p99 before, ms", "p99 with Redis hung, ms", "requests/s then", "errors")
    return Table("With Redis hung (SIGSTOP), 32 connections", columns, rows)


def _goals(section: Section, seen, ports) -> None:
    theirs = [name for name in ports if not name.startswith(("Tidegate", "bare")) and "2 limits" not in name]
    ours = "Tidegate, with its line"
    for connections, factor in ((8, 1.0), (32, 1.1), (128, 1.0)):
        best = max((_per_s(seen[name, connections]) for name in theirs), default=0.0)
        if best:
            ratio = _per_s(seen[ours, connections]) / best
            what = f"requests/s at {connections} connections, of the best peer's"
            section.goals.append(Goal(what, f"{ratio:.2f}", f"≥ {factor}", ratio >= factor))
    two = _per_s(seen["Tidegate, 2 limits", 32]) / _per_s(seen[ours, 32])
    section.goals.append(Goal("requests/s with two limits, of those with one", f"{two:.2f}", "≥ 0.95", two >= 0.95))


def _table(title, ports, absent, cell) -> Table:
    rows = [(name, *(cell(name, c) for c in CONNECTIONS)) for name in ports]
    rows += [(name, why, *[""] * (len(CONNECTIONS) - 1)) for name, why in absent.items()]
    return Table(title, ("contender", *(f"{c} connections" for c in CONNECTIONS)), rows)


def _per_s(seen: list[Seen]) -> float:
    return statistics.median(one.per_s for one in seen)


def _p99(seen: list[Seen]) -> float:
    return statistics.median(one.p99_ms for one in seen)


def _shown(seen: list[Seen]) -> str:
    return f"{_per_s(seen):,.0f}{' (errors)' if any(one.errors for one in seen) else ''}"


@contextlib.contextmanager
def _served(name: str, redis_url: str, folder) -> Iterator[int]:
    port = free_port()
    command = [sys.executable, "-m", "tests.benchmarks.programs.served", name, str(port), redis_url]
    with (folder / f"{port}.log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            _await_answer(f"http://127.0.0.1:{port}/products", server)
            yield port
        finally:
            server.terminate()
            server.wait(10)


def _await_answer(url: str, server: subprocess.Popen[bytes]) -> None:
    ends = time.monotonic() + 30
    while time.monotonic() < ends and server.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=5).read()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"nothing answers at {url}")


def _asked(port: int, connections: int) -> Seen:
    url = f"http://127.0.0.1:{port}/products"
    command = [WRK, "-t1", f"-c{connections}", f"-d{SECONDS}", "--latency", url]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    number, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", said).groups()
    failed = re.search(r"Non-2xx or 3xx responses: (\d+)", said)
    return Seen(
        float(re.search(r"Requests/sec:\s+([\d.]+)", said)[1]),
        float(number) * {"us": 0.001, "ms": 1, "s": 1000}[unit],
        int(failed[1]) if failed else 0,
    )

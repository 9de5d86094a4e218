"""SIGSTOP of Redis under load: what requests take before, while it hangs, and after SIGCONT."""

import json
import os
import statistics
import threading
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Self

import httpx

from tests.benchmarks.report import Goal, Section, Table
from tests.harness.waiting import eventually
from tests.http.uvicorn_server import UvicornServer

THREADS = 4
PHASE_S = 3.0
HOW = (
    f"{THREADS} threads send one request after the other to one uvicorn process, with Redis and DynamoDB wired and "
    f"a decision budget of 60 ms; each phase lasts {PHASE_S:.0f} s. The first requests that find it hung wait for "
    "their timeout, all others are decided by DynamoDB at once."
)


@dataclass(frozen=True)
class Phase:
    """What was measured between two moments."""

    name: str
    latencies_ms: list[float]
    statuses: dict[int, int]

    def percentile(self, percent: int) -> float:
        return statistics.quantiles(self.latencies_ms, n=100, method="inclusive")[percent - 1]


class Load:
    """Threads that send one request after the other, as fast as they are answered."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._ended = threading.Event()
        self._seen: list[tuple[float, int]] = []
        self._threads = [threading.Thread(target=self._send) for _ in range(THREADS)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def measure(self, name: str, seconds: float) -> Phase:
        """What the load met in the coming seconds."""
        before = len(self._seen)
        time.sleep(seconds)  # the length of the measurement, not a wait for something
        seen = self._seen[before:]
        statuses = [status for _, status in seen]
        counted = {status: statuses.count(status) for status in sorted(set(statuses))}
        return Phase(name, [latency for latency, _ in seen], counted)

    def _send(self) -> None:
        with httpx.Client(timeout=30) as client:
            while not self._ended.is_set():
                began = time.perf_counter()
                try:
                    status = client.get(self._url).status_code
                except httpx.TransportError:
                    status = 0
                self._seen.append(((time.perf_counter() - began) * 1000, status))


def seconds_until_redis(log, since):
    """From SIGCONT to the end of the first request that Redis decided again, by the server's own log lines."""

    def first():
        for line in log.read_text(errors="replace").splitlines():
            if not line.startswith("{"):
                continue
            members = json.loads(line)
            at = datetime.fromisoformat(members["timestamp"]).timestamp()
            if members["message"] == "request" and members.get("store") == "redis" and at > since:
                return at - since
        return None

    return eventually(first, within_s=30, every_s=0.1)


def test_redis_hangs_under_load(redis_server, dynamo, library_table, tmp_path, report):
    log = tmp_path / "server.log"
    variables = {
        "TIDEGATE_REDIS_URL": redis_server.url,
        "TIDEGATE_TABLE": library_table,
        "AWS_ENDPOINT_URL": dynamo.endpoint_url,
        "TILL": os.devnull,
    }
    with UvicornServer("tests.http.till:app", log, "--no-access-log", **variables) as server:
        url = f"{server.url}/products"
        with Load(url) as load:
            load.measure("warm-up", 1.0)
            phases = [load.measure("before", PHASE_S)]
            redis_server.stop()
            phases.append(load.measure("while it hangs", PHASE_S))
            redis_server.cont()
            since = time.time()
            phases.append(load.measure("after", PHASE_S))
        back_s = seconds_until_redis(log, since)

    section = Section("hung-under-load", "SIGSTOP of Redis under load", HOW)
    columns = ("phase", "requests", "p50 ms", "p99 ms", "p99 - before", "statuses")
    section.tables.append(Table("What requests took", columns, [_row(phase, phases[0]) for phase in phases]))
    section.notes.append(f"Redis was used again {back_s:.2f} s after SIGCONT.")
    section.goals.append(Goal("Redis used again after it answers", f"{back_s:.2f} s", "≤ 2 s", back_s <= 2))
    report.add(section)

    assert all(len(phase.latencies_ms) > 1 for phase in phases)
    assert back_s > 0


def _row(phase, before):
    p50, p99 = phase.percentile(50), phase.percentile(99)
    more = p99 - before.percentile(99)
    counted = " ".join(f"{status}:{count}" for status, count in phase.statuses.items())
    return (phase.name, str(len(phase.latencies_ms)), f"{p50:.1f}", f"{p99:.1f}", f"{more:+.1f}", counted)

"""What a run of the fault matrix says, on the terminal and in Markdown."""

from __future__ import annotations

import os
import platform
import sys
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version

from rich.console import Console
from rich.table import Table

from tests.harness.redis_server import RedisServer
from tests.scenarios.environment import FACES, Face
from tests.scenarios.fault_matrix import Extent, Observed

COMMAND = "python -m tests.scenarios.fault_matrix --write docs/faults.md"
BACK_WITHIN_S = 2.0
COLUMNS = (
    "fault",
    "decided by",
    "answers",
    "p50 ms",
    "p99 ms",
    "worst ms",
    "attempts",
    "back after",
    "idempotent POST",
    "slowest POST",
    "errors",
)
_FACES: dict[Face, str] = {
    "function": "On Lambda: one request at a time in an environment",
    "server": "On a server (uvicorn): 8 clients at once",
}
_VERSIONS = ("tidegate", "hiredis", "boto3", "fastapi", "mangum", "uvicorn")
_console = Console(width=200)


def progress(seen: Observed) -> Observed:
    """Print a row's gist as it comes."""
    row = dict(zip(COLUMNS, _row(seen), strict=True))
    _console.print(f"{seen.face:9} {row['fault']:32} p99 {row['p99 ms']:>6} ms  back after {row['back after']}")
    return seen


def show(run: Sequence[Observed]) -> None:
    """Print the tables."""
    for face, seen in _by_face(run):
        table = Table(title=_FACES[face], title_justify="left")
        for column in COLUMNS:
            table.add_column(column, overflow="fold")
        for one in seen:
            table.add_row(*_row(one))
        _console.print(table)


def markdown(run: Sequence[Observed], extent: Extent) -> str:
    """The tables with what a reader must know of them."""
    parts = ["# Faults", _introduction(extent), _facts(extent), _verdict(run, extent)]
    for face, seen in _by_face(run):
        parts += [f"## {_FACES[face]}", _markdown_table(seen)]
    return "\n\n".join(parts) + "\n"


def _introduction(extent: Extent) -> str:
    return (
        f"Written by `{COMMAND}`; every cell was measured by that run. Each fault is made for real (Redis and "
        "DynamoDB's engine are processes; signals, CONFIG, CLUSTER and a TCP proxy hurt them; for a name's lookup the "
        "environment's own `getaddrinfo` hangs, for the system's resolver can't be told of another name server for one "
        "process) while clients ask "
        f"without an end, and lasts at least {extent.during_s:.0f} s and {extent.during} requests. DynamoDB's faults "
        "are made while Redis refuses connections. The same faults, without the times, are asserted by "
        "`tests/scenarios/test_fault_matrix.py` in `make test-slow`.\n\n"
        "- **decided by**: the store that the request's log line names, before → during → after the fault; of the "
        "requests that began and ended in the fault. A Redis that is READONLY or out of memory may still refuse by "
        "itself, which needs no write, until the first write fails.\n"
        "- **answers**: every status that a client got, over all three phases. The route's limit is 100/s with a "
        "burst of 50, so a 429 is a limit that holds.\n"
        "- **p50, p99, worst**: what decisions took, from the fault's first moment to its last (the failures that "
        "discover it included).\n"
        "- **attempts**: connections begun / commands sent to the failing store by decisions, of so many in so many "
        "seconds. (A claim's breaker opens only where DynamoDB doesn't answer in time: whatever fails at once each "
        "idempotent POST asks itself, at most twice.)\n"
        "- **back after**: from the store's return to the first decision of those that it made without a break.\n"
        "- **idempotent POST**: first sent before the fault, then during it; each retried in it and after it. `+` is "
        "a replay, 503 says that nothing was done; a claim that was written late, by a request long answered with "
        "503, is waited for (409); each key had exactly one effect in the end.\n"
        "- **slowest POST**: the slowest of them, whole.\n"
        "- **errors**: statuses outside the contract, and exceptions in the log."
    )


def _facts(extent: Extent) -> str:
    with RedisServer() as server:
        redis = server.info("server")["redis_version"]
    load, *_ = os.getloadavg()
    facts = {
        "date": datetime.now(UTC).date().isoformat(),
        "command": f"`{COMMAND}`",
        "decision budget": f"{extent.budget_ms} ms",
        "machine": f"{len(os.sched_getaffinity(0)) if sys.platform == 'linux' else os.cpu_count()} cores, "
        f"{platform.system()} {platform.machine()}, shared; load average {load:.1f} when it ended",
        "Python": platform.python_version(),
        "Redis": redis,
        **{name: version(name) for name in _VERSIONS},
    }
    return "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in facts.items())])


def _verdict(run: Sequence[Observed], extent: Extent) -> str:
    """Which rows miss what was asked for; nothing is left out."""
    checks = {
        f"p99 within {extent.budget_ms} ms": [one for one in run if one.percentile(0.99) > extent.budget_ms],
        f"back within {BACK_WITHIN_S:.0f} s": [one for one in run if one.recovery_s > BACK_WITHIN_S],
        "no error reaches a client": [one for one in run if one.errors()],
        "the store that must decide is the one that is named": [one for one in run if one.misnamed()],
        "one effect per key": [one for one in run if any(order.faults() for order in one.orders)],
    }
    lines = []
    for what, missed in checks.items():
        names = "; ".join(f"{one.fault.title} ({one.face})" for one in missed)
        lines.append(f"- {what}: {len(run) - len(missed)} of {len(run)}" + (f"; not: {names}" if names else ""))
    return "\n".join(lines)


def _row(one: Observed) -> tuple[str, ...]:
    return (
        one.fault.title,
        " → ".join(_stores(counted) for counted in (one.before, one.during, one.after)),
        ", ".join(f"{status}: {count}" for status, count in sorted(one.statuses.items())),
        *(f"{one.percentile(share):.1f}" for share in (0.5, 0.99, 1.0)),
        f"{one.connects} / {one.commands} of {one.requests} in {one.seconds:.1f} s",
        f"{one.recovery_s:.2f} s",
        ", ".join(order.told for order in one.orders),
        f"{max(order.slowest_ms for order in one.orders):.0f} ms",
        "; ".join(one.errors()) or "0",
    )


def _stores(counted: Counter[str | None]) -> str:
    if len(counted) == 1:
        return str(next(iter(counted)))
    return ", ".join(f"{store} {count}" for store, count in counted.most_common())


def _by_face(run: Sequence[Observed]) -> list[tuple[Face, list[Observed]]]:
    grouped = [(face, [one for one in run if one.face == face]) for face in FACES]
    return [(face, seen) for face, seen in grouped if seen]


def _markdown_table(seen: Sequence[Observed]) -> str:
    head = f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}"
    return "\n".join([head, *(f"| {' | '.join(_row(one))} |" for one in seen)])

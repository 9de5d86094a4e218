"""The lines that Lambda puts around an invocation's own in the log."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True)
class Spent:
    """What an invocation took; `init_ms` is None where the environment was warm."""

    duration_ms: float
    init_ms: float | None
    memory_mb: int
    peak_memory_mb: int


def log_of(request_id: str, version: str, printed: str, spent: Spent) -> str:
    """Return an invocation's log: START, what it printed, END, REPORT."""
    # awslambdaric ends the lines within a message by a bare carriage return.
    printed = printed.replace("\r\n", "\n").replace("\r", "\n")
    body = printed if not printed or printed.endswith("\n") else f"{printed}\n"
    return (
        f"START RequestId: {request_id} Version: {version}\n{body}END RequestId: {request_id}\n"
        f"{_report(request_id, spent)}\n"
    )


def timeout_line(request_id: str, timeout_s: float) -> str:
    """Return what Lambda logs of an invocation that took too long."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return f"{now} {request_id} Task timed out after {timeout_s:.2f} seconds\n"


def _report(request_id: str, spent: Spent) -> str:
    billed_ms = math.ceil(spent.duration_ms + (spent.init_ms or 0.0))
    parts = [
        f"REPORT RequestId: {request_id}",
        f"Duration: {spent.duration_ms:.2f} ms",
        f"Billed Duration: {billed_ms} ms",
        f"Memory Size: {spent.memory_mb} MB",
        f"Max Memory Used: {spent.peak_memory_mb} MB",
    ]
    if spent.init_ms is not None:
        parts.append(f"Init Duration: {spent.init_ms:.2f} ms")
    return "\t".join(parts) + "\t"

"""What the application itself said of each request: who decided, how long that took, what became of it."""

import json
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tidegate_local import logs
from tidegate_local.scenarios.answers import percentile
from tidegate_local.state import LocalState


@dataclass(frozen=True)
class Decision:
    """A request's log line (docs/observability.md), at its end in epoch seconds."""

    at: float
    outcome: str
    store: str | None
    admission_ms: float | None
    duration_ms: float
    pressed_by: str | None


@dataclass(frozen=True)
class Decided:
    """Many decisions: the share of each store in percent, and how long a decision took (None: there were none)."""

    by_store: dict[str, float]
    p50_ms: float | None
    p99_ms: float | None


def read(state: LocalState, since: float) -> list[Decision]:
    """Return what the API's environments logged from a moment on (epoch seconds).

    Raises:
        LocalCloudError: the engine doesn't answer.
    """
    lines = logs.read(state, since_s=time.time() - since + 1, follow=False, platform=False)
    return [decision for decision in parsed(lines) if decision.at >= since]


def parsed(lines: Iterable[str]) -> list[Decision]:
    """Return the decisions among log lines; those of the worker, and all other lines, are left out."""
    told = (_object(line) for line in lines if '"message":"request"' in line)
    return [_decision(line) for line in told if line.get("service") != "worker" and "timestamp" in line]


def between(decisions: Iterable[Decision], began: float, ended: float) -> list[Decision]:
    """Return those from one moment to before another; epoch seconds."""
    return [decision for decision in decisions if began <= decision.at < ended]


def decided(decisions: Sequence[Decision]) -> Decided:
    """Sum decisions up; requests of which no store was asked don't count."""
    asked = [decision for decision in decisions if decision.store and decision.admission_ms is not None]
    stores = Counter(decision.store for decision in asked if decision.store)
    took_ms = [decision.admission_ms for decision in asked if decision.admission_ms is not None]
    return Decided(
        {store: round(100 * count / len(asked), 1) for store, count in sorted(stores.items())},
        percentile(took_ms, 50),
        percentile(took_ms, 99),
    )


def in_flight(decisions: Iterable[Decision], seconds: float) -> float:
    """Return how many requests were at work at once, on average: Little's law, L = λW."""
    return sum(decision.duration_ms for decision in decisions) / 1000 / seconds


def _object(line: str) -> dict[str, Any]:
    try:
        told = json.loads(line)
    except ValueError:  # cut off by the end of its environment
        return {}
    return told if isinstance(told, dict) else {}


def _decision(line: dict[str, Any]) -> Decision:
    return Decision(
        datetime.fromisoformat(line["timestamp"]).timestamp(),
        str(line.get("outcome", "")),
        line.get("store"),
        line.get("admission_ms"),
        float(line.get("duration_ms", 0.0)),
        line.get("pressed_by"),
    )

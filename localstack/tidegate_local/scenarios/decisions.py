"""Who decided about requests, and how long that took, by what the API itself logged of them."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tidegate_local.state import LocalState
from tidegate_local.telemetry.figures import Figures
from tidegate_local.telemetry.lines import WORKER, RequestLine
from tidegate_local.telemetry.reader import LineReader


@dataclass(frozen=True)
class Decided:
    """Many decisions: the share of each store in percent, and how long a decision took (None: there were none)."""

    by_store: Mapping[str, float]
    p50_ms: float | None
    p99_ms: float | None


def read(state: LocalState, since: float) -> list[RequestLine]:
    """Return what the API's environments logged from a moment on (epoch seconds).

    Raises:
        LocalCloudError: the engine doesn't answer.
    """
    with LineReader.opened(state, time.time() - since + 1) as reader:
        lines = reader.poll()
    return [line for line in lines if isinstance(line, RequestLine) and line.service != WORKER and line.at_s >= since]


def between(lines: Iterable[RequestLine], began: float, ended: float) -> list[RequestLine]:
    """Return those from one moment to before another; epoch seconds."""
    return [line for line in lines if began <= line.at_s < ended]


def decided(lines: Sequence[RequestLine]) -> Decided:
    """Sum decisions up; requests of which no store was asked don't count."""
    figures = Figures.of(lines)
    asked = sum(figures.stores.values())
    shares = {store: round(100 * count / asked, 1) for store, count in sorted(figures.stores.items())}
    return Decided(shares, figures.admission.p50_ms, figures.admission.p99_ms)

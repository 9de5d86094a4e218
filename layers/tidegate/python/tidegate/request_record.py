"""What is known of a request that has ended, for `protect(on_request=…)`: metrics, traces, audits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tidegate.telemetry import RequestLine, logger

_failed: set[str] = set()


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRecord:
    """One request that has ended, admitted or not. docs/observability.md explains each member.

    Attributes:
        method, route: its method, and its route's template; `*` if it matches none.
        principal: its caller; personal data, and no label of a metric.
        outcome: `admitted`, `limited`, `queued`, `shed`, `replayed`, `refused`, `unguarded` or `failed`.
        reason: the problem's type for a refusal, the exception's class for a failure.
        status: the HTTP status; None if there was no response.
        duration_ms: from the guard's entry to the response's end; milliseconds.
        store: the store that decided; None if none was asked.
        admission_ms: how long the decision took; milliseconds.
        cache: how the cache answered; None if the route has none.
        exempt: whether it was exempt from limits and shedding.
        request_id: Lambda's id of the invocation; None elsewhere.
        release: the running release.
    """

    method: str
    route: str
    principal: str
    outcome: str
    reason: str | None
    status: int | None
    duration_ms: float
    store: str | None
    admission_ms: float | None
    cache: str | None
    exempt: bool
    request_id: str | None
    release: str


OnRequest = Callable[[RequestRecord], object]


def tell(hook: OnRequest, line: RequestLine, request_id: str | None, release: str) -> None:
    """Call a hook with a request's record; what it raises is logged, each kind once, and hurts no request."""
    record = RequestRecord(
        method=line.method,
        route=line.route,
        principal=line.principal,
        outcome=line.outcome,
        reason=line.reason,
        status=line.status,
        duration_ms=line.duration_ms or 0.0,
        store=line.store,
        admission_ms=line.admission_ms,
        cache=line.cache,
        exempt=bool(line.exempt),
        request_id=request_id,
        release=release,
    )
    try:
        hook(record)
    except Exception as error:  # noqa: BLE001  the application's own, and no reason for a request to fail
        kind = type(error).__name__
        if kind not in _failed:
            _failed.add(kind)
            logger().exception("on_request failed, and is called on", extra={"fault": kind})

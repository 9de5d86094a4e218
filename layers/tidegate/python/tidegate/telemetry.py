"""One structured log line per request, through Powertools' Logger."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger


@dataclass(slots=True)
class RequestLine:
    """What became of one request; filled on its way and written at its end.

    Attributes:
        method, route, principal: whose request it was, and for what.
        outcome: `admitted`, `limited`, `replayed`, `refused`, `unguarded` or `failed`.
        reason: the problem's type for a refusal, the exception for a failure.
        store: who decided; None if nothing was asked.
        admission_ms: what the decision took.
        waited_ms: what the request waited for its start, by a leaky bucket.
        shadowed: the limits that only report, and would have refused.
        status: the HTTP status.
        duration_ms: from the guard's entry to the answer's end.
    """

    method: str
    route: str
    principal: str
    outcome: str = "unguarded"
    reason: str | None = None
    store: str | None = None
    admission_ms: float | None = None
    waited_ms: float | None = None
    shadowed: tuple[str, ...] | None = None
    status: int | None = None
    duration_ms: float | None = None

    def fields(self) -> dict[str, Any]:
        """Return what is known, as the line's members."""
        members = {name: getattr(self, name) for name in self.__slots__}
        return {name: value for name, value in members.items() if value is not None}


@cache
def logger() -> Logger:
    """Return the structured logger, made at the first line."""
    from aws_lambda_powertools import Logger  # noqa: PLC0415  after start-up: the first line pays, not the import

    return Logger(service="tidegate", use_rfc3339=True, location="%(name)s", serialize_stacktrace=False)


def write(line: RequestLine, request_id: str | None, release: str) -> None:
    """Write the line of a request that has ended."""
    extra = {**line.fields(), "release": release}
    if request_id:
        extra["request_id"] = request_id
    logger().info("request", extra=extra)


def store_changed(store: str, state: Literal["ready", "failing"], fault: str | None, detail: str | None) -> None:
    """Write that a store is lost or back, with what its driver said."""
    extra = {"store": store, "state": state, "fault": fault, "detail": detail}
    log = logger().warning if state == "failing" else logger().info
    log("store changed", extra={name: value for name, value in extra.items() if value is not None})

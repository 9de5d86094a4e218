"""One structured log line per request, in the form of Powertools' Logger; everything else through that Logger.

A request's line is written without the Logger, into the same stream, with the same members and at the same levels:
going through `logging` and its formatter takes more time than all of an admission but Redis, and importing it is
a seventh of what may be added to a cold start. What is logged beside it is rare.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, TextIO

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger

SERVICE = "tidegate"
_LEVELS = ("AWS_LAMBDA_LOG_LEVEL", "POWERTOOLS_LOG_LEVEL", "LOG_LEVEL")

_encode = json.JSONEncoder(separators=(",", ":"), default=str).encode
_standard = logging.getLogger(SERVICE)


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
    """Return the structured logger, made when there is something rare to say."""
    from aws_lambda_powertools import Logger  # noqa: PLC0415  not at start-up, as the module says

    return Logger(service=SERVICE, use_rfc3339=True, location="%(name)s", serialize_stacktrace=False)


def write(line: RequestLine, request_id: str | None, release: str) -> None:
    """Write the line of a request that has ended."""
    if not _wanted():
        return
    members = {
        "level": "INFO",
        "location": SERVICE,
        "message": "request",
        "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "service": SERVICE,
        **line.fields(),
        "release": release,
    }
    if request_id:
        members["request_id"] = request_id
    trace = os.environ.get("_X_AMZN_TRACE_ID")
    if trace:
        members["xray_trace_id"] = trace.partition(";")[0].removeprefix("Root=")
    stream = _stream()
    stream.write(_encode(members) + "\n")
    stream.flush()


def _wanted() -> bool:
    """Whether the level that Powertools, the application or Lambda has set lets information through."""
    if _standard.level:
        return _standard.isEnabledFor(logging.INFO)
    return _level_of_environment() <= logging.INFO


@cache
def _level_of_environment() -> int:
    said = next((os.environ[name] for name in _LEVELS if os.environ.get(name)), "INFO")
    return int(logging.getLevelNamesMapping().get(said.upper(), logging.INFO))


def _stream() -> TextIO:
    """Where the Logger writes, if it was made; else where it would write."""
    if not logger.cache_info().currsize:
        return sys.stdout
    handler = logger().registered_handler
    return handler.stream if isinstance(handler, logging.StreamHandler) else sys.stdout


def store_changed(store: str, state: Literal["ready", "failing"], fault: str | None, detail: str | None) -> None:
    """Write that a store is lost or back, with what its driver said."""
    extra = {"store": store, "state": state, "fault": fault, "detail": detail}
    log = logger().warning if state == "failing" else logger().info
    log("store changed", extra={name: value for name, value in extra.items() if value is not None})


def shadow_differed(subject: str, *, redis: bool, dynamodb: bool) -> None:
    """Write that the fallback would have decided differently."""
    extra = {"subject": subject, "redis": redis, "dynamodb": dynamodb}
    logger().warning("the fallback decides differently", extra=extra)

"""One structured log line per request, in the form of Powertools' Logger; everything else through that Logger.

A request's line is written without the Logger, into the same stream, with the same members and at the same levels:
going through `logging` and its formatter takes more time than all of an admission but Redis, and importing it is
a seventh of what may be added to a cold start. What is logged beside it is rare. The line carries the request's
metrics, too (see `metrics`), where Powertools' variables name a namespace.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, lru_cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Literal, TextIO

from tidegate import metrics

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger

SERVICE = "tidegate"
_LEVELS = ("AWS_LAMBDA_LOG_LEVEL", "POWERTOOLS_LOG_LEVEL", "LOG_LEVEL")

_NONE: frozenset[str] = frozenset()
_NO_CAUSE = frozenset({"cause"})

_encode = json.JSONEncoder(separators=(",", ":"), default=str).encode
_string = json.encoder.encode_basestring_ascii
_standard = logging.getLogger(SERVICE)


@dataclass(slots=True)
class RequestLine:
    """What became of one request; filled on its way and written at its end.

    Attributes:
        method, route, principal: whose request it was, and for what.
        outcome: `admitted`, `limited`, `queued`, `shed`, `replayed`, `refused`, `unguarded` or `failed`.
        reason: the problem's type for a refusal, the exception for a failure.
        store: who decided; None if nothing was asked.
        admission_ms: what the decision took.
        waited_ms: what the request waited for its start, by a leaky bucket.
        shadowed: the limits that only report, and would have refused.
        shed: the signal because of which it was shed, or would have been if shedding didn't only report.
        pressure, pressed_by: how short capacity was, 0 to 1, and by which signal; None: it was not.
        criticality: how dear the request was, if there was a pressure.
        cache: how the cache answered: `hit`, `stale`, `collapsed`, `computed` or `bypass`; None: it had no part.
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
    shed: str | None = None
    pressure: float | None = None
    pressed_by: str | None = None
    criticality: str | None = None
    cache: str | None = None
    status: int | None = None
    duration_ms: float | None = None


# What differs from request to request; all else of a line is the same for many.
_OF_ONE = ("principal", "admission_ms", "waited_ms", "shadowed", "pressure", "duration_ms")
_NUMBERS = ("admission_ms", "duration_ms", "waited_ms", "pressure")
_OF_MANY = tuple(name for name in RequestLine.__slots__ if name not in _OF_ONE)
_of_many = attrgetter(*_OF_MANY)


_made: list[Logger] = []  # the Logger, once there was something rare to say


def logger() -> Logger:
    """Return the structured logger, made when there is something rare to say."""
    if not _made:
        _made.append(_make())
    return _made[0]


def _make() -> Logger:
    from aws_lambda_powertools import Logger  # noqa: PLC0415  not at start-up, as the module says

    # The service names the underlying logger; whose lines they are is the deployment's to say.
    made = Logger(service=SERVICE, use_rfc3339=True, location="%(name)s", serialize_stacktrace=False)
    made.append_keys(service=_service())
    return made


def write(line: RequestLine, request_id: str | None, release: str) -> None:
    """Write the line of a request that has ended, with its metrics.

    A level that keeps lines out keeps no metrics out: as with Powertools' Metrics, they are then all that is written.
    """
    wanted, space = _wanted(), metrics.namespace()
    if not wanted and space is None:
        return
    text = _told(line, request_id, release) if wanted else _encode(_dimensions(line, release))[:-1]
    if space is not None:
        text += _measured(line, space, _NUMBERS if wanted else ())
    stream = _stream()
    stream.write(text + "}\n")
    stream.flush()


def _told(line: RequestLine, request_id: str | None, release: str) -> str:
    """Write the line but for its closing brace; a dict and an encoder would take twice the time."""
    text = f'{_begun(_of_many(line), release)},"timestamp":"{_timestamp(_now_ms())}"'
    text += f',"principal":{_string(line.principal)}'
    for name in _NUMBERS:
        number = getattr(line, name)
        if number is not None:
            text += f',"{name}":{number}'
    if line.shadowed is not None:
        text += f',"shadowed":{_encode(line.shadowed)}'
    if request_id:
        text += f',"request_id":{_string(request_id)}'
    trace = os.environ.get("_X_AMZN_TRACE_ID")
    if trace:
        text += f',"xray_trace_id":{_string(trace.partition(";")[0].removeprefix("Root="))}'
    return text


@lru_cache(maxsize=1024)
def _begun(of_many: tuple[Any, ...], release: str) -> str:
    """Write what a line has in common with many others."""
    told = {name: value for name, value in zip(_OF_MANY, of_many, strict=True) if value is not None}
    members = {"level": "INFO", "location": SERVICE, "message": "request", "service": _service()}
    return _encode({**members, **told, "release": release})[:-1]


def _dimensions(line: RequestLine, release: str) -> dict[str, Any]:
    """Return what metrics alone need of a line."""
    members = {"service": _service(), "route": line.route, "release": release}
    return members if line.store is None else {**members, "store": line.store}


def _measured(line: RequestLine, space: str, told: Collection[str]) -> str:
    """Write the metrics, but for the values that the line has told."""
    values, cause = metrics.values_of(line), metrics.cause_of(line)
    text = "".join([f',"{name}":{value}' for name, value in values.items() if name not in told])
    if cause is not None:
        text += f',"cause":{_string(cause)}'
    directives = metrics.directives(space, tuple(values), _NONE if cause is not None else _NO_CAUSE)
    return f'{text},"_aws":{{"Timestamp":{_now_ms()},"CloudWatchMetrics":{directives}}}'


def _timestamp(now_ms: int) -> str:
    """Write a time as RFC 3339; all of one second's requests share most of it."""
    return f"{_second(now_ms // 1000)}.{now_ms % 1000:03d}+00:00"


@lru_cache(maxsize=1)
def _second(epoch_s: int) -> str:
    return datetime.fromtimestamp(epoch_s, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


@cache
def _service() -> str:
    """Whose lines and metrics they are, by Powertools' variable."""
    return os.environ.get("POWERTOOLS_SERVICE_NAME") or SERVICE


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
    if not _made:
        return sys.stdout
    handler = logger().registered_handler
    return handler.stream if isinstance(handler, logging.StreamHandler) else sys.stdout


def store_changed(store: str, state: Literal["ready", "failing"], fault: str | None, detail: str | None) -> None:
    """Write that a store is lost or back, with what its driver said."""
    extra = {"store": store, "state": state, "fault": fault, "detail": detail}
    log = logger().warning if state == "failing" else logger().info
    said = {name: value for name, value in extra.items() if value is not None}
    log("store changed", extra={**said, **metrics.rare("store_changes", _now_ms())})


def shadow_differed(subject: str, *, redis: bool, dynamodb: bool) -> None:
    """Write that the fallback would have decided differently."""
    extra = {"subject": subject, "redis": redis, "dynamodb": dynamodb}
    logger().warning("the fallback decides differently", extra={**extra, **metrics.rare("shadow_differed", _now_ms())})

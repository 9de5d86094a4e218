"""One structured log line for each request, in the form of Powertools' Logger; all other lines through that Logger.

That is so on Lambda. Elsewhere all lines go through Python's `logging` (see `standard_log`), unless TIDEGATE_LOG=json.

A request's line is written without the Logger, into the same stream, with the same members and at the same levels.
The Logger and its formatter would take more time than all of an admission except Redis, and its import is a seventh of
the time that may be added to a cold start. All other lines are rare. The line also contains the request's metrics (see
`metrics`), if Powertools' variables name a namespace.
"""

from __future__ import annotations

import json
import logging
import os
import random
import sys
import time
from collections.abc import Collection, MutableMapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, lru_cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Literal, TextIO

from tidegate import metrics
from tidegate.errors import ConfigurationError
from tidegate.extras import need
from tidegate.standard_log import StandardLog, wants_requests, write_request

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger

    from tidegate.limits.charges import ChargeSet

SERVICE = "tidegate"
_LEVELS = ("AWS_LAMBDA_LOG_LEVEL", "POWERTOOLS_LOG_LEVEL", "LOG_LEVEL")

_NONE: frozenset[str] = frozenset()
_NO_CAUSE = frozenset({"cause"})

_encode = json.JSONEncoder(separators=(",", ":"), default=str).encode
_string = json.encoder.encode_basestring_ascii
_RAN = frozenset({"admitted", "unguarded", "replayed"})
_standard = logging.getLogger(SERVICE)


@dataclass(slots=True)
class RequestLine:
    """One request's log line, filled while it is handled and written at its end.

    Attributes:
        method, route, principal: the request's method, its route's template and its caller.
        outcome: `admitted`, `limited`, `queued`, `shed`, `replayed`, `refused`, `unguarded` or `failed`.
        reason: the problem's type for a refusal, the exception for a failure.
        store: the store that decided; None if none was asked.
        admission_ms: how long the decision took.
        exempt: whether the request is exempt from limits and shedding; None: it isn't.
        waited_ms: how long the request waited for its start in a leaky bucket.
        shadowed: the shadow limits that would have refused it.
        shed: the signal because of which it was shed, or would have been in shadow mode.
        pressure, pressed_by: the pressure, 0 to 1, and the signal that makes it; None: there was none.
        criticality: the request's criticality, if there was a pressure.
        cache: the cache's part: `hit`, `stale`, `collapsed`, `computed` or `bypass`; None: it had none.
        status: the HTTP status.
        duration_ms: the time from the guard's entry to the response's end.
        weight: how many requests the line stands for, if lines are sampled.
        charge_set: what its limits were asked for; not written.
        began_s: when the request came, by the monotonic clock; not written.
    """

    method: str
    route: str
    principal: str
    outcome: str = "unguarded"
    reason: str | None = None
    store: str | None = None
    admission_ms: float | None = None
    exempt: bool | None = None
    waited_ms: float | None = None
    shadowed: tuple[str, ...] | None = None
    shed: str | None = None
    pressure: float | None = None
    pressed_by: str | None = None
    criticality: str | None = None
    cache: str | None = None
    status: int | None = None
    duration_ms: float | None = None
    weight: float | None = None
    charge_set: ChargeSet | None = None
    began_s: float = 0.0

    @property
    def is_ordinary(self) -> bool:
        """Whether nothing about the request is worth a line of its own."""
        ran = self.outcome in _RAN and (self.status or 500) < 500
        return ran and self.shadowed is None and self.shed is None


# Members that differ from request to request; all others are the same for many lines.
_OF_ONE = ("principal", "admission_ms", "waited_ms", "shadowed", "pressure", "duration_ms", "weight")
_NUMBERS = ("admission_ms", "duration_ms", "waited_ms", "pressure", "weight")
_UNWRITTEN = ("charge_set", "began_s")
_OF_MANY = tuple(name for name in RequestLine.__slots__ if name not in _OF_ONE and name not in _UNWRITTEN)
_of_many = attrgetter(*_OF_MANY)
_WRITTEN = tuple(name for name in RequestLine.__slots__ if name not in _UNWRITTEN)
_written = attrgetter(*_WRITTEN)


VARIABLE = "TIDEGATE_LOG"
Destination = Literal["json", "logging"]
# Where an exception that is logged is noted in the scope.
LOGGED = "tidegate.logged"
_made: list[Logger] = []  # Powertools' Logger, once it was made
_log = StandardLog()


@cache
def destination() -> Destination:
    """Return where lines go: `json` to standard output, as Lambda takes them, or to Python's `logging`.

    Raises:
        ConfigurationError: the variable says something else, or Powertools isn't there for `json`.
    """
    chosen = os.environ.get(VARIABLE) or ("json" if "AWS_LAMBDA_FUNCTION_NAME" in os.environ else "logging")
    if chosen == "json":
        need("aws_lambda_powertools", "lambda", f"{VARIABLE}=json, or a function on Lambda,")
        return "json"
    if chosen != "logging":
        raise ConfigurationError(VARIABLE, f"{chosen!r} is unknown; write json or logging")
    return "logging"


def logger() -> Logger | StandardLog:
    """Return what lines other than requests' are logged by."""
    return _log if destination() == "logging" else structured_logger()


def structured_logger() -> Logger:
    """Return Powertools' Logger, made at its first use."""
    if not _made:
        _made.append(_make())
    return _made[0]


def _make() -> Logger:
    from aws_lambda_powertools import Logger  # noqa: PLC0415  not at start-up: see the module's docstring

    # This service names the underlying logger; the lines' `service` is the deployment's.
    made = Logger(service=SERVICE, use_rfc3339=True, location="%(name)s", serialize_stacktrace=False)
    made.append_keys(service=_service())
    return made


def write(line: RequestLine, request_id: str | None, release: str, share: float = 1.0) -> None:
    """Write the line of a request that has ended, with its metrics.

    If the log level or the sampling suppresses the line, the metrics are still written, as with Powertools' Metrics.
    Lines are sampled only of requests that were admitted and didn't fail; a sampled line has a `weight`.

    Args:
        line: the line.
        request_id: Lambda's name for the request; None elsewhere.
        release: the running release.
        share: the share of ordinary requests whose lines are written, above 0 up to 1.
    """
    sampled = share < 1 and line.is_ordinary
    kept = not sampled or random.random() < share  # noqa: S311  guards nothing
    if kept and sampled:
        line.weight = round(1 / share, 3)
    if destination() == "logging":
        if kept and wants_requests():
            write_request(_as_members(line, request_id, release))
        return
    wanted, space = kept and _wanted(), metrics.namespace()
    if not wanted and space is None:
        return
    text = _members(line, request_id, release) if wanted else _encode(_dimensions(line, release))[:-1]
    if space is not None:
        text += _measured(line, space, _NUMBERS if wanted else ())
    stream = _stream()
    stream.write(text + "}\n")
    stream.flush()


def _as_members(line: RequestLine, request_id: str | None, release: str) -> dict[str, Any]:
    members = {name: value for name, value in zip(_WRITTEN, _written(line), strict=True) if value is not None}
    members["release"] = release
    if request_id is not None:
        members["request_id"] = request_id
    return members


def _members(line: RequestLine, request_id: str | None, release: str) -> str:
    """Return the line without its closing brace; a dict and an encoder would take twice the time."""
    text = f'{_beginning(_of_many(line), release)},"timestamp":"{_timestamp(_now_ms())}"'
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
def _beginning(of_many: tuple[Any, ...], release: str) -> str:
    """Return the members that a line has in common with many others."""
    common = {name: value for name, value in zip(_OF_MANY, of_many, strict=True) if value is not None}
    members = {"level": "INFO", "location": SERVICE, "message": "request", "service": _service()}
    return _encode({**members, **common, "release": release})[:-1]


def _dimensions(line: RequestLine, release: str) -> dict[str, Any]:
    """Return the members that metrics need without the rest of the line."""
    members = {"service": _service(), "route": line.route, "release": release}
    return members if line.store is None else {**members, "store": line.store}


def _measured(line: RequestLine, space: str, written: Collection[str]) -> str:
    """Return the metrics' members, except for values that the line contains already."""
    values, cause = metrics.values_of(line), metrics.cause_of(line)
    text = "".join([f',"{name}":{value}' for name, value in values.items() if name not in written])
    if cause is not None:
        text += f',"cause":{_string(cause)}'
    directives = metrics.directives(space, tuple(values), _NONE if cause is not None else _NO_CAUSE)
    return f'{text},"_aws":{{"Timestamp":{_now_ms()},"CloudWatchMetrics":{directives}}}'


def _timestamp(now_ms: int) -> str:
    """Return a time as RFC 3339; most of it is cached for a second."""
    return f"{_second(now_ms // 1000)}.{now_ms % 1000:03d}+00:00"


@lru_cache(maxsize=1)
def _second(epoch_s: int) -> str:
    return datetime.fromtimestamp(epoch_s, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


@cache
def _service() -> str:
    """Return the service of lines and metrics, by Powertools' variable."""
    return os.environ.get("POWERTOOLS_SERVICE_NAME") or SERVICE


def _wanted() -> bool:
    """Return whether the level of Powertools, the application or Lambda lets INFO through."""
    if _standard.level:
        return _standard.isEnabledFor(logging.INFO)
    return _level_of_environment() <= logging.INFO


@cache
def _level_of_environment() -> int:
    level = next((os.environ[name] for name in _LEVELS if os.environ.get(name)), "INFO")
    return int(logging.getLevelNamesMapping().get(level.upper(), logging.INFO))


def _stream() -> TextIO:
    """Return the stream to which the Logger writes, or would write if it were made."""
    if not _made:
        return sys.stdout
    handler = structured_logger().registered_handler
    return handler.stream if isinstance(handler, logging.StreamHandler) else sys.stdout


def log_unhandled(route: str, scope: MutableMapping[str, Any], error: Exception) -> None:
    """Log the exception of an application's that is handled now, unless a server logs it as it logs all.

    Args:
        route: the request's route.
        scope: the request's, where it is noted for a function's handler, which gets it, too.
        error: the exception.
    """
    if "aws.context" in scope or destination() == "json":
        scope[LOGGED] = error
        logger().exception("unhandled exception", extra={"route": route})


def store_changed(store: str, state: Literal["ready", "failing"], fault: str | None, detail: str | None) -> None:
    """Log that a store is lost or back, with its driver's message."""
    extra = {"store": store, "state": state, "fault": fault, "detail": detail}
    log = logger().warning if state == "failing" else logger().info
    members = {name: value for name, value in extra.items() if value is not None}
    log("store changed", extra={**members, **metrics.rare("store_changes", _now_ms())})


def shadow_differed(subject: str, *, redis: bool, dynamodb: bool) -> None:
    """Log that the fallback would have decided differently."""
    extra = {"subject": subject, "redis": redis, "dynamodb": dynamodb}
    logger().warning("the fallback decides differently", extra={**extra, **metrics.rare("shadow_differed", _now_ms())})

"""The metrics in a request's log line, in CloudWatch's embedded metric format (EMF): a table from `RequestLine`.

CloudWatch takes the metrics out of the log, so nothing is sent or flushed. Their format is that of Powertools' Metrics,
and so are the variables that switch them on. Each set of dimensions makes a metric of its own, which costs money. So a
dimension has only as many values as a program has routes and causes.

Source: CloudWatch User Guide, "Specification: Embedded metric format".
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Literal, NamedTuple

Unit = Literal["Count", "Milliseconds", "None"]
Dimensions = tuple[tuple[str, ...], ...]

_WHOLE: Dimensions = (("service",),)
_ROUTE: Dimensions = (("service",), ("service", "route"))
_RELEASE: Dimensions = (*_ROUTE, ("service", "release"))
_CAUSE: Dimensions = (*_ROUTE, ("service", "cause"), ("service", "route", "cause"))
_STORE: Dimensions = (("service",), ("service", "store"))
_CHANGE: Dimensions = (("service", "store", "state"),)


class Metric(NamedTuple):
    """One metric.

    Attributes:
        name: its name in CloudWatch, and the line's member with its value.
        unit: its value's unit.
        by: the sets of dimensions by which it is split; their names are members of the line, too.
        read: returns its value in a request's line; None: nothing to report.
    """

    name: str
    unit: Unit
    by: Dimensions
    read: Callable[[Any], float | None]


def _one(_: Any) -> int:
    return 1


def _server_error(line: Any) -> int | None:
    """Return 1 if the service failed; a request that was shed is no failure."""
    failed = line.outcome == "failed" or (line.status or 0) >= 500
    return 1 if failed and line.outcome != "shed" else None


def _shed_in_shadow(line: Any) -> int | None:
    return 1 if getattr(line, "shed", None) and line.outcome != "shed" else None


# Metrics that any request may report.
_ALWAYS = (
    Metric("requests", "Count", _RELEASE, _one),
    Metric("server_errors", "Count", _RELEASE, _server_error),
    Metric("duration_ms", "Milliseconds", _RELEASE, lambda line: line.duration_ms),
    Metric("decisions", "Count", _STORE, lambda line: None if line.store is None else 1),
    Metric("admission_ms", "Milliseconds", _STORE, lambda line: None if line.store is None else line.admission_ms),
    Metric("waited_ms", "Milliseconds", _ROUTE, lambda line: line.waited_ms),
    Metric("pressure", "None", _WHOLE, lambda line: getattr(line, "pressure", None)),
    # Refusals that shadow limits, or shedding in shadow mode, would have made.
    Metric("limits_shadowed", "Count", _ROUTE, lambda line: len(line.shadowed) if line.shadowed else None),
    Metric("shed_shadowed", "Count", _ROUTE, _shed_in_shadow),
)
# One count for each outcome; those of requests that weren't run have a cause.
_OUTCOMES = {
    "admitted": Metric("requests_admitted", "Count", _ROUTE, _one),
    "replayed": Metric("requests_replayed", "Count", _ROUTE, _one),
    "unguarded": Metric("requests_unguarded", "Count", _ROUTE, _one),
    "limited": Metric("requests_limited", "Count", _CAUSE, _one),
    "shed": Metric("requests_shed", "Count", _CAUSE, _one),
    "queued": Metric("requests_queued", "Count", _CAUSE, _one),
    "refused": Metric("requests_refused", "Count", _CAUSE, _one),
    "failed": Metric("requests_failed", "Count", _CAUSE, _one),
}
# One count for each way in which the cache answered.
_CACHE = {
    word: Metric(f"cache_{word}", "Count", _ROUTE, _one) for word in ("hit", "stale", "collapsed", "computed", "bypass")
}
# Rare events, which have log lines of their own.
_RARE = {
    "store_changes": Metric("store_changes", "Count", _CHANGE, _one),
    "shadow_differed": Metric("shadow_differed", "Count", _WHOLE, _one),
}
TABLE: Mapping[str, Metric] = {
    metric.name: metric for metric in (*_ALWAYS, *_OUTCOMES.values(), *_CACHE.values(), *_RARE.values())
}


def values_of(line: Any) -> dict[str, float]:
    """Return the values in a request's line, by metric; missing members count nothing."""
    values = {metric.name: value for metric in _ALWAYS if (value := metric.read(line)) is not None}
    for found in (_OUTCOMES.get(line.outcome), _CACHE.get(getattr(line, "cache", None) or "")):
        if found is not None:
            values[found.name] = 1
    return values


def cause_of(line: Any) -> str | None:
    """Return in a word why a request was refused or failed: a signal's name, or a problem's type; None if neither."""
    cause = (getattr(line, "shed", None) if line.outcome == "shed" else None) or line.reason
    return cause.rpartition("#")[2].rpartition(":")[2] if cause else None


@cache
def namespace() -> str | None:
    """Return the namespace, by Powertools' variables; None: no metrics."""
    environ = os.environ
    off = environ.get("POWERTOOLS_METRICS_DISABLED")
    if _is_true(off) or (off is None and _is_true(environ.get("POWERTOOLS_DEV"))):
        return None
    return environ.get("POWERTOOLS_METRICS_NAMESPACE") or None


def _is_true(text: str | None) -> bool:
    return (text or "").lower() in {"1", "y", "yes", "t", "true", "on"}


@cache
def directives(space: str, names: tuple[str, ...], absent: frozenset[str]) -> str:
    """Return the JSON of `CloudWatchMetrics`: one directive for all metrics with the same sets of dimensions.

    It is the same for most requests, so it is cached for each combination.

    Args:
        space: the namespace.
        names: the metrics.
        absent: dimensions that the line lacks; sets with one of them are left out.
    """
    groups: dict[Dimensions, list[Metric]] = {}
    for metric in (TABLE[name] for name in names):
        by = tuple(dimensions for dimensions in metric.by if absent.isdisjoint(dimensions))
        if by:
            groups.setdefault(by, []).append(metric)
    listed = [_directive(space, by, metrics) for by, metrics in groups.items()]
    return json.dumps(listed, separators=(",", ":"))


def _directive(space: str, by: Dimensions, metrics: list[Metric]) -> dict[str, Any]:
    return {
        "Namespace": space,
        "Dimensions": by,
        "Metrics": [{"Name": metric.name, "Unit": metric.unit} for metric in metrics],
    }


def rare(name: str, timestamp_ms: int) -> dict[str, Any]:
    """Return the members that make a rare event's line count one; none without a namespace.

    Args:
        name: the metric, whose dimensions are members of the line.
        timestamp_ms: the time; epoch milliseconds.
    """
    space = namespace()
    if space is None:
        return {}
    listed = json.loads(directives(space, (name,), frozenset()))
    return {name: 1, "_aws": {"Timestamp": timestamp_ms, "CloudWatchMetrics": listed}}

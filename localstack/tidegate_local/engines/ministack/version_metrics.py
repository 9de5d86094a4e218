# ruff: noqa: SLF001 - hooking three of the engine's private functions is all that this file does
"""Makes MiniStack publish the metrics of an alias's versions, and answer trimmed counts, as CloudWatch does.

MiniStack 1.5.33 publishes AWS/Lambda's metrics by FunctionName alone, and those of calls to its Invoke API alone. On
AWS an invocation by an alias also counts under FunctionName, Resource (function:alias) and ExecutedVersion. Every
invocation ends in `lambda_svc._execute_function_dispatch`, whoever asked for it.

Equal values of a minute are one point with a count, so that a storm of requests takes no memory. A statistic such as
TC(5:30) is the number of values above 5 and up to 30.

The package is pinned to the version of the engine that this was written against; tests/local shows the rule.
"""

import re
import time
from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Any

from ministack.services import cloudwatch, lambda_svc

from tidegate_local.engines.ministack.weighted_aliases import invoked_by

_TRIMMED = re.compile(r"TC\((\d+(?:\.\d+)?):(\d+(?:\.\d+)?)\)")
_MINUTE_S = 60
_counting = Lock()


def trimmed_count(samples: Sequence[tuple[float, float]], statistic: str) -> float | None:
    """Return how many of the values (each with its weight) are in a range; None if it is no such statistic."""
    asked = _TRIMMED.fullmatch(statistic)
    if not asked:
        return None
    above, up_to = map(float, asked.groups())
    return sum(weight for value, weight in samples if above < value <= up_to)


def install() -> None:
    """Hook the engine in this process; call it once, before the engine serves."""
    dispatch, value_of = lambda_svc._execute_function_dispatch, cloudwatch._stat_value

    def dispatch_counted(
        function: dict[str, Any], config: dict[str, Any], event: Any, request_id: str, started: float
    ) -> Any:
        by, version = invoked_by.get(), config.get("Version", "$LATEST")
        result = dispatch(function, config, event, request_id, started)
        if by and by[0] == config.get("FunctionName"):
            failed = isinstance(result, dict) and bool(result.get("error"))
            _publish((*by, version), started, time.time() - started, failed=failed)
        return result

    def value_or_trimmed(stats: Any, statistic: str, points: Any = None) -> Any:
        if not _TRIMMED.fullmatch(statistic or ""):
            return value_of(stats, statistic, points)
        return trimmed_count(cloudwatch._percentile_samples(points or []) or [], statistic)

    lambda_svc._execute_function_dispatch = dispatch_counted
    cloudwatch._stat_value = value_or_trimmed


def _publish(of: tuple[str, str, str], began: float, took_s: float, *, failed: bool) -> None:
    function, alias, version = of
    dimensions = {"FunctionName": function, "Resource": f"{function}:{alias}", "ExecutedVersion": version}
    minute = began // _MINUTE_S * _MINUTE_S
    with _counting:
        _count(("Invocations", "Count", 1.0), minute, dimensions)
        _count(("Errors", "Count", float(failed)), minute, dimensions)
        _count(("Duration", "Milliseconds", max(1.0, float(round(took_s * 1000)))), minute, dimensions)


def _count(metric: tuple[str, str, float], minute: float, dimensions: Mapping[str, str]) -> None:
    """Add one value of a minute to those that equal it."""
    name, unit, value = metric
    points = cloudwatch._metric_bucket(("AWS/Lambda", name, cloudwatch._dims_key(dimensions)))
    for point in reversed(points):
        if point["Timestamp"] < minute:
            break
        if point["Value"] == value:
            point["Count"] += 1.0
            return
    points.append({"Timestamp": minute, "Value": value, "Unit": unit, "Dimensions": dict(dimensions), "Count": 1.0})

"""The counts of CloudWatch's metrics, for functions that don't count themselves: per minute and version.

A metric's timestamp is that of the invocation's beginning, and a minute's values arrive over a minute or more. So only
minutes are read that ended a while ago, and each is read again at every look: what comes later still counts then.

Latencies come as trimmed counts: "TC(0.005:0.030) returns the number of data points with values between 0.005
(exclusive) and 0.030 (inclusive)" (CloudWatch User Guide, "CloudWatch statistics definitions").

What metrics don't tell: which requests were cold, and which environment or route an error was of. Durations of
failed invocations are among the others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any, NamedTuple

from functions.rollout.counts import CountsUnavailableError
from functions.rollout.denial import is_denial
from functions.rollout.judge import Counts, VersionCounts
from functions.rollout.judge.histogram import Histogram, bin_of
from functions.rollout.metrics import Metrics

_MINUTE_S = 60
# Four ranges an octave, from a millisecond to 17 minutes: Lambda runs for fifteen at most. With what else is asked of a
# version these are 84 queries, and one call takes 500.
_PER_OCTAVE, _OCTAVES = 4, 20
_EDGES_MS = (0.0, *[round(2 ** (at / _PER_OCTAVE), 3) for at in range(_PER_OCTAVE * _OCTAVES + 1)])
_RANGES_MS = tuple(pairwise(_EDGES_MS))


class _Query(NamedTuple):
    """One statistic of one metric; `name` begins with a lower-case letter, as CloudWatch wants it."""

    name: str
    metric: str
    statistic: str


class MetricCounts:
    """Reads counts: the `Counting` of a release whose order names metrics.

    Args:
        client: boto3's, of CloudWatch.
        metrics: the metrics' names.
        alias: by which clients call the functions.
        now_s: the time of this look (epoch seconds); both versions' minutes end with the same one.
    """

    def __init__(self, client: Any, metrics: Metrics, alias: str, now_s: int) -> None:
        self._client = client
        self._metrics = metrics
        self._alias = alias
        self._end_s = (now_s - metrics.settled_s) // _MINUTE_S * _MINUTE_S
        self._queries = tuple(_queries(metrics))

    def by_minute(self, function: str, version: str, start_s: int) -> dict[int, VersionCounts]:
        """Return a version's requests by minute since the epoch, from the minute of a time (epoch seconds) on.

        Raises:
            CountsUnavailableError: CloudWatch did not answer, or not all of it.
        """
        start_s = start_s // _MINUTE_S * _MINUTE_S
        if start_s >= self._end_s:
            return {}
        dimensions = self._metrics.of_version(function, self._alias, version)
        minutes = dict[int, dict[str, int]]()
        for name, minute, value in self._values(dimensions, start_s):
            minutes.setdefault(minute, {})[name] = round(value)
        return {minute: _counts(minutes[minute]) for minute in sorted(minutes)}

    def _values(self, dimensions: Mapping[str, str], start_s: int) -> Iterator[tuple[str, int, float]]:
        """Read all statistics: each one's name, minute and value."""
        for result in self._results(dimensions, start_s):
            for at, value in zip(result["Timestamps"], result["Values"], strict=True):
                yield result["Id"], int(at.timestamp()) // _MINUTE_S, value

    def _results(self, dimensions: Mapping[str, str], start_s: int) -> list[Mapping[str, Any]]:
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415  # heavy: at the first read

        asked = {
            "MetricDataQueries": [self._asked(query, dimensions) for query in self._queries],
            "StartTime": start_s,
            "EndTime": self._end_s,
            "ScanBy": "TimestampAscending",
        }
        results: list[Mapping[str, Any]] = []
        try:
            for page in self._client.get_paginator("get_metric_data").paginate(**asked):
                results += page["MetricDataResults"]
        except (BotoCoreError, ClientError) as error:
            if is_denial(error):
                raise  # a role that is new: it is waited for
            raise CountsUnavailableError(f"CloudWatch: {error}") from error
        # With a further page the earlier one's results say PartialData, and the last one's Complete.
        last = {result["Id"]: result.get("StatusCode", "Complete") for result in results}
        if missing := sorted(name for name, status in last.items() if status != "Complete"):
            raise CountsUnavailableError(f"CloudWatch: not all counts were read ({', '.join(missing)})")
        return results

    def _asked(self, query: _Query, dimensions: Mapping[str, str]) -> dict[str, Any]:
        metric = {
            "Namespace": self._metrics.namespace,
            "MetricName": query.metric,
            "Dimensions": [{"Name": name, "Value": value} for name, value in dimensions.items()],
        }
        return {"Id": query.name, "MetricStat": {"Metric": metric, "Period": _MINUTE_S, "Stat": query.statistic}}


def _queries(metrics: Metrics) -> Iterator[_Query]:
    if metrics.requests:
        yield _Query("requests", metrics.requests, "Sum")
    else:
        yield _Query("requests", metrics.duration, "SampleCount")
    yield _Query("errors", metrics.errors, "Sum")
    if metrics.refused:
        yield _Query("refused", metrics.refused, "Sum")
    for at, (above, up_to) in enumerate(_RANGES_MS):
        yield _Query(f"within{at}", metrics.duration, f"TC({_written(above)}:{_written(up_to)})")


def _written(milliseconds: float) -> str:
    return f"{milliseconds:.3f}".rstrip("0").rstrip(".")


def _counts(told: Mapping[str, int]) -> VersionCounts:
    errors = told.get("errors", 0)
    latency = {bin_of(_middle_us(at)): told[name] for at in range(len(_RANGES_MS)) if told.get(name := f"within{at}")}
    # Errors may be there before the invocations that they are of.
    requests = max(told.get("requests", 0), errors)
    return VersionCounts(
        Counts(requests=requests, server_errors=errors, latency=Histogram(latency), refused=told.get("refused", 0))
    )


def _middle_us(at: int) -> int:
    above, up_to = _RANGES_MS[at]
    return int((above + up_to) * 500)

"""The counts that environments have sent to Redis, or to DynamoDB during an outage of Redis, in the judge's form.

Counters only grow, and this reader remembers the counts that it has read from Redis. So an outage of Redis, or an empty
one after it, takes no counts back, and later counts are in later minutes. A reader that starts during an outage has the
counts in DynamoDB alone.

The fields are described in `tidegate.outcomes.tally`. They are a format, not shared code, because the controller
doesn't run on the library that it releases.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple, Protocol

from functions.rollout.clock import now_s
from functions.rollout.judge import Counts, RouteCounts, Spread, VersionCounts
from functions.rollout.judge.histogram import Histogram

Fields = Mapping[str, int]


class CountsUnavailableError(Exception):
    """A store could not be asked for counts, or its answer could not be read."""


class Source(NamedTuple):
    """The requests that are counted: those of a function's version, in a deployment."""

    namespace: str
    function: str
    version: str


class Place(Protocol):
    """One store's counts."""

    def read(self, source: Source, minutes: Sequence[int]) -> Mapping[int, Fields]:
        """Read counts by minute and field.

        Raises:
            CountsUnavailableError: the store did not answer.
        """
        ...

    def close(self) -> None:
        """Let go of connections; the next reading opens new ones."""
        ...


# The names of fields: tidegate.outcomes.tally.Batch.
_ROUTE, _FAILED, _TARGET = "sr:", "se:", "g:"
# Two clocks may differ, and a store may be read while a minute begins.
_AHEAD = 1


def stored_counts(environ: Mapping[str, str] = os.environ) -> StoredCounts:
    """Return a reader of the stores that the TIDEGATE_* variables name; it connects at its first read."""
    namespace = environ.get("TIDEGATE_NAMESPACE") or "default"
    return StoredCounts(namespace, _redis(environ), _dynamodb(environ))


class StoredCounts:
    """Reads counts from both stores, and adds them up.

    Args:
        namespace: the deployment's.
        redis, dynamodb: the stores of counts; None if there is no such store.
    """

    def __init__(self, namespace: str, redis: Place | None, dynamodb: Place | None) -> None:
        self._namespace = namespace
        self._redis = redis
        self._dynamodb = dynamodb
        self._seen: dict[Source, dict[int, dict[str, int]]] = {}

    def since(self, function: str, versions: Sequence[str], start_s: int) -> dict[str, VersionCounts]:
        """Return each version's requests since the minute of a time (epoch seconds); versions without counts are left
        out.

        Raises:
            CountsUnavailableError: DynamoDB did not answer.
        """
        counted = {}
        for version in versions:
            found = self.by_minute(function, version, start_s)
            if found:
                counted[version] = _sum(found.values())
        return counted

    def by_minute(self, function: str, version: str, start_s: int) -> dict[int, VersionCounts]:
        """Return a version's requests by minute since the epoch, from the minute of a time (epoch seconds) on.

        Raises:
            CountsUnavailableError: DynamoDB did not answer.
        """
        source = Source(self._namespace, function, version)
        minutes = range(start_s // 60, now_s() // 60 + 1 + _AHEAD)
        parts = [self._in_redis(source, minutes)]
        if self._dynamodb is not None:
            parts.append(self._dynamodb.read(source, minutes))
        return {
            minute: _sum(_counts(part[minute]) for part in parts if minute in part)
            for minute in minutes
            if any(minute in part for part in parts)
        }

    def close(self) -> None:
        """Let go of connections; the next reading opens new ones."""
        for place in (self._redis, self._dynamodb):
            if place is not None:
                place.close()

    def _in_redis(self, source: Source, minutes: range) -> Mapping[int, Fields]:
        known = self._seen.setdefault(source, {})
        if self._redis is not None:
            with suppress(CountsUnavailableError):  # the counts read before stand
                for minute, fields in self._redis.read(source, minutes).items():
                    most = known.setdefault(minute, {})
                    most.update({name: max(count, most.get(name, 0)) for name, count in fields.items()})
        for minute in [minute for minute in known if minute < minutes.start]:
            del known[minute]
        return known


def _redis(environ: Mapping[str, str]) -> Place | None:
    if not environ.get("TIDEGATE_REDIS_URL"):
        return None
    from functions.rollout.counts_in_redis import RedisMinutes, target  # noqa: PLC0415  # only where there is a Redis

    return RedisMinutes(target(environ))


def _dynamodb(environ: Mapping[str, str]) -> Place | None:
    if not environ.get("TIDEGATE_TABLE"):
        return None
    from functions.rollout.counts_in_dynamodb import TableMinutes  # noqa: PLC0415  # boto3 is loaded with it

    return TableMinutes(environ["TIDEGATE_TABLE"], environ.get("AWS_ENDPOINT_URL"), environ.get("AWS_REGION"))


def _counts(fields: Fields) -> VersionCounts:
    warm, cold, replayed = (_of(fields, prefix) for prefix in "wcp")
    # A version with an older library sends none of these.
    completed = warm._replace(
        spread=Spread(fields.get("wq", 0), fields.get("wo", 0)),
        routes=_routes(fields),
        replayed=replayed if replayed.requests else None,
        targets=frozenset([name.removeprefix(_TARGET) for name in fields if name.startswith(_TARGET)]),
    )
    return VersionCounts(completed, cold)


def _of(fields: Fields, prefix: str) -> Counts:
    requests, server_errors, timeouts, refused = (fields.get(prefix + name, 0) for name in "retd")
    return Counts(requests, server_errors, timeouts, Histogram.of_fields(fields, f"{prefix}l"), refused)


def _routes(fields: Fields) -> dict[str, RouteCounts]:
    names = [name.removeprefix(_ROUTE) for name in fields if name.startswith(_ROUTE)]
    return {name: RouteCounts(fields[_ROUTE + name], fields.get(_FAILED + name, 0)) for name in names}


def _sum(counts: Iterable[VersionCounts]) -> VersionCounts:
    total = VersionCounts()
    for each in counts:
        total = total.plus(each)
    return total

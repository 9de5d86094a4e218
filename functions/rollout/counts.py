"""The counts that environments have sent to Redis, and to DynamoDB while Redis took none, as the judge takes them.

Counters only grow. What this reader has once seen in Redis stays seen: a Redis that answers nothing, or comes back
empty, takes back no counts, and those that come afterwards are in later minutes. A reader that is new while Redis is
away knows what is in DynamoDB alone.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from functions.rollout.judge import Counts, VersionCounts
from tidegate.algorithms.histogram import Histogram
from tidegate.clock import Clock, SystemClock
from tidegate.errors import StoreUnavailableError
from tidegate.outcomes.tally import Source

if TYPE_CHECKING:
    from tidegate.settings import Settings

Fields = Mapping[str, int]


class Place(Protocol):
    """One store's counts."""

    def read(self, source: Source, minutes: Sequence[int]) -> Mapping[int, Fields]:
        """Read what was counted, by minute and field.

        Raises:
            StoreUnavailableError: the store did not answer.
        """
        ...

    def close(self) -> None:
        """Let go of connections; the next reading opens new ones."""
        ...


# Where nobody waits for a decision.
_PATIENCE_S = 1.0
# Two clocks may differ, and a store may be read while a minute begins.
_AHEAD = 1


def stored_counts(environ: Mapping[str, str] = os.environ) -> StoredCounts:
    """Read from the stores that the TIDEGATE_* variables name; nothing is connected yet."""
    from tidegate.settings import Settings  # noqa: PLC0415  # what is pure here is imported without it

    settings = Settings.from_environ(environ)
    return StoredCounts(settings.namespace, _redis(settings), _dynamodb(settings))


class StoredCounts:
    """Reads counts from both stores, and adds them up.

    Args:
        namespace: whose deployment.
        redis, dynamodb: where the counts are; None where there is no such store.
        clock: says up to which minute to read.
    """

    def __init__(self, namespace: str, redis: Place | None, dynamodb: Place | None, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._namespace = namespace
        self._redis = redis
        self._dynamodb = dynamodb
        self._seen: dict[Source, dict[int, dict[str, int]]] = {}

    def since(self, function: str, versions: Sequence[str], start_s: int) -> dict[str, VersionCounts]:
        """Return each version's requests since the minute of a time (epoch seconds); none counted: left out.

        Raises:
            StoreUnavailableError: DynamoDB did not answer.
        """
        counted = {}
        for version in versions:
            found = self.by_minute(function, version, start_s)
            if found:
                counted[version] = _sum(found.values())
        return counted

    def by_minute(self, function: str, version: str, start_s: int) -> dict[int, VersionCounts]:
        """Return a version's requests by the epoch's minute, since that of a time (epoch seconds).

        Raises:
            StoreUnavailableError: DynamoDB did not answer.
        """
        source = Source(self._namespace, function, version)
        minutes = range(start_s // 60, self._clock.wall_us() // 60_000_000 + 1 + _AHEAD)
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
            with suppress(StoreUnavailableError):  # what is known stands
                for minute, fields in self._redis.read(source, minutes).items():
                    most = known.setdefault(minute, {})
                    most.update({name: max(count, most.get(name, 0)) for name, count in fields.items()})
        for minute in [minute for minute in known if minute < minutes.start]:
            del known[minute]
        return known


def _redis(settings: Settings) -> Place | None:
    if settings.redis_url is None:
        return None
    from tidegate.outcomes.in_redis import RedisMinutes  # noqa: PLC0415  # as above
    from tidegate.stores.connection import RedisTarget, transport_to  # noqa: PLC0415  # as above

    credentials = None
    if settings.redis_iam_user and settings.redis_iam_cache:
        from tidegate.stores.elasticache import IamCredentials  # noqa: PLC0415  # as above

        credentials = IamCredentials(settings.redis_iam_user, settings.redis_iam_cache)
    target = RedisTarget(settings.redis_url, _PATIENCE_S, _PATIENCE_S, settings.redis_cluster, credentials)
    return RedisMinutes(transport_to(target))


def _dynamodb(settings: Settings) -> Place | None:
    table = settings.table
    if table is None:
        return None
    from tidegate.outcomes.in_dynamodb import TableMinutes  # noqa: PLC0415  # as above
    from tidegate.stores.aws import DynamoClient, DynamoTimeouts  # noqa: PLC0415  # as above

    client = DynamoClient(DynamoTimeouts(_PATIENCE_S, 2 * _PATIENCE_S, attempts=3), region=settings.region)
    return TableMinutes(client, table)


def _counts(fields: Fields) -> VersionCounts:
    return VersionCounts(*[_of(fields, prefix) for prefix in "wc"])


def _of(fields: Fields, prefix: str) -> Counts:
    requests, server_errors, timeouts = (fields.get(prefix + name, 0) for name in "ret")
    return Counts(requests, server_errors, timeouts, Histogram.of_fields(fields, f"{prefix}l"))


def _sum(counts: Iterable[VersionCounts]) -> VersionCounts:
    total = VersionCounts()
    for each in counts:
        total = total.plus(each)
    return total

"""The counts in Redis: a hash for each minute of a version, which one script adds to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tidegate.outcomes.tally import Batch, Source
from tidegate.stores.redis_faults import unavailable
from tidegate.stores.redis_scripts import Call, Script

if TYPE_CHECKING:
    from tidegate.stores.connection import Transport

KEPT_S = 7200
COUNT = Script.of("count.lua")


def minute_key(source: Source, minute: int) -> str:
    """Return the key of a minute's hash; a version's keys are in one hash slot."""
    return f"tidegate:{{o:{':'.join(source)}}}:{minute}"


def count_call(source: Source, environment: str, batch: Batch) -> Call:
    """Count a batch, unless this environment's batch of that number was counted."""
    fields = [part for field in batch.fields.items() for part in field]
    keys = [minute_key(source, batch.minute), f"tidegate:{{o:{':'.join(source)}}}:{environment}"]
    return Call(COUNT, keys, [batch.number, KEPT_S, *fields])


class RedisMinutes:
    """Reads counts.

    Args:
        transport: the way to Redis.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def read(self, source: Source, minutes: Sequence[int]) -> dict[int, dict[str, int]]:
        """Read what was counted, by minute and field, in one round trip.

        Raises:
            StoreUnavailableError: Redis did not answer.
        """
        replies = self._transport.send([("HGETALL", minute_key(source, minute)) for minute in minutes])
        for reply in replies:
            if isinstance(reply, Exception):
                raise unavailable(reply) from reply
        return {minute: _fields(reply) for minute, reply in zip(minutes, replies, strict=True) if reply}

    def close(self) -> None:
        """Let go of connections; the next reading opens new ones."""
        self._transport.close()


def _fields(reply: Sequence[bytes]) -> dict[str, int]:
    return {name.decode(): int(count) for name, count in zip(reply[::2], reply[1::2], strict=True)}

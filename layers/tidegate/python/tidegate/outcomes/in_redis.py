"""The outcome counts in Redis: a hash for each minute of a version, which one script adds to and the judge reads."""

from __future__ import annotations

from functools import partial

from tidegate.outcomes.tally import Batch, Source, Tally
from tidegate.stores.redis.replies import is_number
from tidegate.stores.redis.scripts import Call, Script
from tidegate.stores.redis.store import Ride

KEPT_S = 7200
COUNT = Script.of("count.lua")


def minute_key(source: Source, minute: int) -> str:
    """Return the key of a minute's hash; a version's keys are in one hash slot."""
    return f"tidegate:{{o:{':'.join(source)}}}:{minute}"


def count_call(source: Source, environment: str, batch: Batch) -> Call:
    """Return the call that counts a batch, unless this environment's batch of that number was counted."""
    fields = [part for field in batch.fields.items() for part in field]
    keys = [minute_key(source, batch.minute), f"tidegate:{{o:{':'.join(source)}}}:{environment}"]
    return Call(COUNT, keys, [batch.number, KEPT_S, *fields], is_number)


class TallyRider:
    """Sends this environment's counts along with its decisions.

    Args:
        tally: the counts.
    """

    def __init__(self, tally: Tally) -> None:
        self._tally = tally

    def due(self) -> Ride | None:
        """Return the call for a batch, if one is due."""
        batch = self._tally.due()
        if batch is None:
            return None
        call = count_call(self._tally.source, self._tally.environment, batch)
        return Ride(call, partial(self._counted, batch))

    def _counted(self, batch: Batch, _reply: object) -> None:
        self._tally.heard(batch)

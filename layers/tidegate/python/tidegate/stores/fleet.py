"""How many environments are alive, and which place this one has among them: from whoever was heard last."""

from __future__ import annotations

from tidegate.clock import Clock
from tidegate.question import Fleet

# For so long after Redis was heard its count is believed, and not the fallback's, whose count is only of those who
# had to leave Redis: one of a hundred with a broken line must not take itself for the whole fleet.
REDIS_BELIEVED_S = 60


class FleetView:
    """What is known of the fleet.

    Args:
        clock: where the time comes from.
        assumed: what to assume as long as nothing was heard.
    """

    def __init__(self, clock: Clock, assumed: Fleet) -> None:
        self._clock = clock
        self._assumed = assumed
        self._by_redis: tuple[float, Fleet] | None = None
        self._by_dynamodb: Fleet | None = None

    @property
    def fleet(self) -> Fleet:
        """The fleet as it is believed to be."""
        if self._by_redis is None:
            return self._by_dynamodb or self._assumed
        heard_at, fleet = self._by_redis
        recent = self._clock.monotonic() - heard_at < REDIS_BELIEVED_S
        return fleet if recent or self._by_dynamodb is None else self._by_dynamodb

    def heard(self, fleet: Fleet) -> None:
        """Note what Redis has counted."""
        self._by_redis, self._by_dynamodb = (self._clock.monotonic(), fleet), None

    def counted(self, fleet: Fleet) -> None:
        """Note what DynamoDB has counted; a place that Redis gave is kept: no two have the same."""
        rank = self._by_redis[1].rank if self._by_redis is not None else fleet.rank
        self._by_dynamodb = fleet if rank >= fleet.environments else fleet._replace(rank=rank)

"""How many environments are alive, and this one's rank among them, as Redis or DynamoDB counted last."""

from __future__ import annotations

from tidegate.clock import Clock
from tidegate.messages import Fleet

# For so long Redis' latest count is preferred to the fallback's, which counts only the environments that lost Redis.
# One of a hundred with a broken line must not take itself for the whole fleet.
REDIS_BELIEVED_S = 60


class FleetView:
    """The fleet's size and this environment's rank, by the latest counts.

    Args:
        clock: where the time comes from.
        assumed: the fleet before the first count.
    """

    def __init__(self, clock: Clock, assumed: Fleet) -> None:
        self._clock = clock
        self._assumed = assumed
        self._by_redis: tuple[float, Fleet] | None = None
        self._by_dynamodb: Fleet | None = None

    @property
    def fleet(self) -> Fleet:
        """The fleet, by the count that is preferred now."""
        if self._by_redis is None:
            return self._by_dynamodb or self._assumed
        counted_at, fleet = self._by_redis
        recent = self._clock.monotonic() - counted_at < REDIS_BELIEVED_S
        return fleet if recent or self._by_dynamodb is None else self._by_dynamodb

    def heard(self, fleet: Fleet) -> None:
        """Note Redis' count."""
        self._by_redis, self._by_dynamodb = (self._clock.monotonic(), fleet), None

    def counted(self, fleet: Fleet) -> None:
        """Note DynamoDB's count, but keep a rank that Redis gave: those differ between all environments."""
        rank = self._by_redis[1].rank if self._by_redis is not None else fleet.rank
        self._by_dynamodb = fleet if rank >= fleet.environments else fleet._replace(rank=rank)

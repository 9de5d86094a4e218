"""DynamoDB as the fallback behind Redis: with the fallback clock, prefetched tokens and shadow decisions."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from tidegate.background import Background
from tidegate.clock import Clock
from tidegate.failover.breaker import Breaker
from tidegate.failover.circuit import CircuitBreakerStore
from tidegate.failover.fallback_clock import FallbackClock
from tidegate.failover.shadow import Shadow
from tidegate.failover.token_prefetch import TokenPrefetch
from tidegate.stores.dynamodb.fleet import FleetCounter, FleetTable
from tidegate.stores.dynamodb.store import DynamoStore, OrdinaryTime
from tidegate.stores.fleet import FleetView
from tidegate.stores.redis.outage import OutageTimer


class Fallback(NamedTuple):
    """The fallback's parts.

    Attributes:
        handle: its place in the failover chain.
        leases: the prefetched tokens, which are given back when Redis decides again.
        shadow: compares its decisions with Redis'.
        warm: makes the client and reads the time, so that no decision has to wait for them.
    """

    handle: CircuitBreakerStore
    leases: TokenPrefetch
    shadow: Shadow
    warm: Callable[[], None]


class FallbackPlace(NamedTuple):
    """The parts that a fallback is made of.

    Attributes:
        table: the table of all its items.
        budget_s: seconds for a decision.
        clock: the reference clock.
        own_clock: this environment's, for its breaker.
        shadow_share: the share of Redis' decisions that are compared, from 0 to 1.
    """

    table: FleetTable
    budget_s: float
    clock: Clock
    own_clock: Clock
    shadow_share: float


def fallback(place: FallbackPlace, away: OutageTimer, view: FleetView, background: Background) -> Fallback:
    """Compose the fallback.

    Args:
        place: its parts.
        away: when this environment lost Redis.
        view: the fleet's size.
        background: runs work that no request waits for.
    """
    client, table = place.table.client, place.table.table
    counter = FleetCounter(place.table, place.clock, view)
    timing = FallbackClock(place.table, place.clock, away, view, counter, background)
    store = DynamoStore(client, table, place.clock, place.budget_s, timing)
    leases = TokenPrefetch(store, place.clock, view, background)
    handle = CircuitBreakerStore(leases, Breaker(place.own_clock), place.own_clock)
    compared = DynamoStore(client, table, place.clock, place.budget_s, OrdinaryTime(place.clock, "shadow"))

    def warm() -> None:
        client.warm()
        timing.warm()

    return Fallback(handle, leases, Shadow(handle, compared, place.shadow_share, background), warm)

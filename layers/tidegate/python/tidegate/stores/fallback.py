"""DynamoDB as it stands behind Redis: its own clock, leases for hot keys, and shadow decisions."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from tidegate.clock import Clock
from tidegate.stores.away import Away
from tidegate.stores.background import Background
from tidegate.stores.breaker import Breaker
from tidegate.stores.dynamodb import DynamoStore, OrdinaryTime
from tidegate.stores.dynamodb_fleet import FleetCounter, FleetTable
from tidegate.stores.fleet import FleetView
from tidegate.stores.ladder_clock import LadderClock
from tidegate.stores.leases import Leases
from tidegate.stores.shadow import Shadow
from tidegate.stores.tracked import TrackedStore


class Fallback(NamedTuple):
    """The fallback's parts.

    Attributes:
        rung: its place on the ladder.
        leases: what gives its tokens back when Redis decides again.
        shadow: what compares it with Redis.
        warm: makes what it needs before it is needed.
    """

    rung: TrackedStore
    leases: Leases
    shadow: Shadow
    warm: Callable[[], None]


class FallbackPlace(NamedTuple):
    """What a fallback is made of.

    Attributes:
        table: where it keeps everything.
        budget_s: seconds for a decision.
        clock: the reference clock.
        own_clock: this environment's, for its breaker.
        shadow_share: of Redis' decisions, from 0 to 1.
    """

    table: FleetTable
    budget_s: float
    clock: Clock
    own_clock: Clock
    shadow_share: float


def fallback(place: FallbackPlace, away: Away, view: FleetView, background: Background) -> Fallback:
    """Compose the fallback.

    Args:
        place: what it is made of.
        away: when this environment lost Redis.
        view: the fleet's size.
        background: where it works off the requests' way.
    """
    client, table = place.table.client, place.table.table
    counter = FleetCounter(place.table, place.clock, view)
    timing = LadderClock(place.table, place.clock, away, view, counter, background)
    store = DynamoStore(client, table, place.clock, place.budget_s, timing)
    leases = Leases(store, place.clock, view, background)
    rung = TrackedStore(leases, Breaker(place.own_clock), place.own_clock)
    compared = DynamoStore(client, table, place.clock, place.budget_s, OrdinaryTime(place.clock, "shadow"))

    def warm() -> None:
        client.warm()
        timing.warm()

    return Fallback(rung, leases, Shadow(rung, compared, place.shadow_share, background), warm)

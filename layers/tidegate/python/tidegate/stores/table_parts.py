"""All that the DynamoDB table is used for: decisions behind Redis or alone, claims, limits changed at run time.

Composed here, when it is first needed (see `deferred`); botocore's clients are made when they are first asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from tidegate.clock import Clock, SystemClock
from tidegate.settings import Settings
from tidegate.stores.away import Away
from tidegate.stores.aws import DynamoClient, DynamoTimeouts
from tidegate.stores.background import Background
from tidegate.stores.base import ClaimStore
from tidegate.stores.breaker import Breaker
from tidegate.stores.dynamodb import DynamoStore
from tidegate.stores.dynamodb_claims import DynamoClaims
from tidegate.stores.dynamodb_fleet import FleetTable
from tidegate.stores.dynamodb_overrides import read_overrides
from tidegate.stores.failover import Watcher
from tidegate.stores.fallback import FallbackPlace, fallback
from tidegate.stores.fleet import FleetView
from tidegate.stores.reference_clock import ReferenceClock
from tidegate.stores.tracked import Rung, TrackedStore

# Of a decision's budget; Redis has had a third, and the rest is for the way between them.
_SHARE = 7 / 12
# Where nobody waits for a decision.
_PATIENCE = DynamoTimeouts(0.5, 0.5)
_CLAIM_PATIENCE = DynamoTimeouts(0.5, 1.0, attempts=2)


class Before(NamedTuple):
    """What the fallback must know of the Redis before it: when it was lost, and the fleet's size."""

    away: Away
    view: FleetView


class TableParts(NamedTuple):
    """What the table is used for.

    Attributes:
        rung: its place on the ladder.
        claims: what guards effects.
        watchers: told what Redis has decided.
        read_overrides: reads the limits that were changed at run time.
        warm: makes what decisions need before they need it.
        client: the way to DynamoDB, with a claim's patience.
        clock: the clock that the fleet agrees on.
        close: gives leased tokens back and lets go of connections; waits, for a bounded time, for what is under way.
    """

    rung: Rung
    claims: ClaimStore
    watchers: Sequence[Watcher]
    read_overrides: Callable[[], Mapping[str, Mapping[str, Any]]]
    warm: Callable[[], None]
    client: DynamoClient
    clock: Clock
    close: Callable[[], None]


class _Ladder(NamedTuple):
    rung: Rung
    watchers: Sequence[Watcher]
    warm: Callable[[], None]
    give_back: Callable[[], None]


def table_parts(settings: Settings, table: str, clock: Clock, before: Before | None) -> TableParts:
    """Compose them; nothing is connected yet.

    Args:
        settings: as read at start.
        table: the table's name.
        clock: this environment's.
        before: what the fallback must know of Redis; None where there is none.
    """
    # A clock that isn't the machine's own is a test's, and isn't to be put right.
    reference = ReferenceClock(clock) if isinstance(clock, SystemClock) else None
    shared = reference or clock
    quick = DynamoClient(_PATIENCE, region=settings.region, listener=reference)
    sure = DynamoClient(_CLAIM_PATIENCE, region=settings.region, listener=reference)
    budget_s = settings.decision_budget_ms / 1000 * _SHARE
    place = FallbackPlace(FleetTable(quick, table, settings.namespace), budget_s, shared, clock, settings.shadow_share)
    background = Background()
    ladder = _alone(place) if before is None else _behind(place, before, background)

    def close() -> None:
        ladder.give_back()
        for part in (background, ladder.rung, quick, sure):
            part.close()

    read = partial(read_overrides, sure, table, settings.namespace)
    claims = DynamoClaims(sure, table, shared)
    return TableParts(ladder.rung, claims, ladder.watchers, read, ladder.warm, sure, shared, close)


def _behind(place: FallbackPlace, before: Before, background: Background) -> _Ladder:
    made = fallback(place, before.away, before.view, background)
    return _Ladder(made.rung, (made.leases.give_back, made.shadow.watch), made.warm, made.leases.give_back)


def _alone(place: FallbackPlace) -> _Ladder:
    """DynamoDB where no Redis is: an ordinary store by the ordinary time."""
    client = place.table.client
    store = DynamoStore(client, place.table.table, place.clock, place.budget_s)
    return _Ladder(TrackedStore(store, Breaker(place.own_clock), place.own_clock), (), client.warm, _nothing)


def _nothing() -> None:
    """Nothing is leased."""

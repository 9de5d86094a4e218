"""The composition of DynamoDB's parts: decisions behind Redis or alone, claims, limits changed at run time.

They are composed at first use (see `failover.lazy_dynamodb`); botocore's clients are made at their first call.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from tidegate.background import Background
from tidegate.clock import Clock, SystemClock
from tidegate.failover.breaker import Breaker
from tidegate.failover.circuit import CircuitBreakerStore, StoreHandle
from tidegate.failover.fallback import FallbackPlace, fallback
from tidegate.failover.store import Watcher
from tidegate.idempotency.claim_store import ClaimStore
from tidegate.idempotency.dynamodb import DynamoClaims
from tidegate.limits.overrides import read_overrides
from tidegate.settings import Settings
from tidegate.stores.dynamodb.client import DynamoClient, DynamoTimeouts
from tidegate.stores.dynamodb.clock import ReferenceClock
from tidegate.stores.dynamodb.fleet import FleetTable
from tidegate.stores.dynamodb.store import DynamoStore
from tidegate.stores.fleet import FleetView
from tidegate.stores.redis.outage import OutageTimer

# DynamoDB's share of a decision's budget. Redis has a third, and the rest is for the code between them.
_SHARE = 7 / 12
# botocore's own timeouts, for calls beside decisions.
_PATIENCE = DynamoTimeouts(0.5, 0.5)
_CLAIM_PATIENCE = DynamoTimeouts(0.5, 1.0, attempts=2)


class PrimaryStoreInfo(NamedTuple):
    """Facts of Redis that the fallback behind it needs: since when it is lost, and the fleet's size."""

    away: OutageTimer
    view: FleetView


class DynamoComponents(NamedTuple):
    """DynamoDB's parts of an environment.

    Attributes:
        handle: its place in the failover chain.
        claims: the claim store.
        watchers: called with each decision of Redis.
        read_overrides: reads the limits that were changed at run time.
        warm: makes the client and reads the time, so that no decision has to wait for them.
        client: a client for DynamoDB with a claim's timeouts.
        clock: the reference clock, on which the fleet agrees.
        close: gives prefetched tokens back and closes connections, after a bounded wait for work under way.
    """

    handle: StoreHandle
    claims: ClaimStore
    watchers: Sequence[Watcher]
    read_overrides: Callable[[], Mapping[str, Mapping[str, Any]]]
    warm: Callable[[], None]
    client: DynamoClient
    clock: Clock
    close: Callable[[], None]


class _Decisions(NamedTuple):
    handle: StoreHandle
    watchers: Sequence[Watcher]
    warm: Callable[[], None]
    give_back: Callable[[], None]


def dynamo_components(
    settings: Settings,
    table: str,
    clock: Clock,
    before: PrimaryStoreInfo | None,
    answered: Callable[[], object] | None = None,
) -> DynamoComponents:
    """Compose them; nothing is connected yet.

    Args:
        settings: as read at start.
        table: the table's name.
        clock: this environment's.
        before: facts of the Redis before it; None if there is no Redis.
        answered: called after every answer of DynamoDB.
    """
    # A clock that isn't the machine's own is a test's, which must not be corrected.
    reference = ReferenceClock(clock) if isinstance(clock, SystemClock) else None
    shared = reference or clock
    quick = DynamoClient(_PATIENCE, region=settings.region, listener=reference, answered=answered)
    sure = DynamoClient(_CLAIM_PATIENCE, region=settings.region, listener=reference, answered=answered)
    budget_s = settings.decision_budget_ms / 1000 * _SHARE
    place = FallbackPlace(FleetTable(quick, table, settings.namespace), budget_s, shared, clock, settings.shadow_share)
    background = Background()
    decisions = _alone(place) if before is None else _behind(place, before, background)

    def close() -> None:
        decisions.give_back()
        for part in (background, decisions.handle, quick, sure):
            part.close()

    read = partial(read_overrides, sure, table, settings.namespace)
    claims = DynamoClaims(sure, table, shared)
    return DynamoComponents(decisions.handle, claims, decisions.watchers, read, decisions.warm, sure, shared, close)


def _behind(place: FallbackPlace, before: PrimaryStoreInfo, background: Background) -> _Decisions:
    made = fallback(place, before.away, before.view, background)
    return _Decisions(made.handle, (made.leases.give_back, made.shadow.watch), made.warm, made.leases.give_back)


def _alone(place: FallbackPlace) -> _Decisions:
    """Return the parts of a DynamoDB without Redis: an ordinary store that keeps limits by the wall clock."""
    client = place.table.client
    store = DynamoStore(client, place.table.table, place.clock, place.budget_s)
    return _Decisions(CircuitBreakerStore(store, Breaker(place.own_clock), place.own_clock), (), client.warm, _nothing)


def _nothing() -> None:
    """Do nothing: no tokens are prefetched."""

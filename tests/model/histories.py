"""Whether a recorded history of a claim is one that the model admits: whether some order of its calls explains it.

Linearizability, as Wing and Gong check it ("Testing and Verifying Concurrent Objects", 1993): each call took effect at
one moment between its begin and its end, and the library's own code, one call after the other on the model's item,
gives each the answer that was heard.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, NamedTuple, cast

from tests.model.claim_stores import Frozen, TableCall, carried_out, thawed
from tidegate.clock import Clock
from tidegate.errors import StoreUnavailableError
from tidegate.idempotency.dynamodb import DynamoClaims
from tidegate.messages import ClaimRequest, InProgress
from tidegate.stores.dynamodb.client import DynamoClient, Written


class Event(NamedTuple):
    """One call of one claim's store.

    Attributes:
        began, ended: when, by one clock for all; nanoseconds.
        call: the store's method, and its arguments.
        wall_us: the caller's time.
        heard: what was answered; None: nothing was, so that it took effect at any later time, or never.
    """

    began: int
    ended: int
    call: tuple[Any, ...]
    wall_us: int
    heard: Any


class RecordingClaims:
    """Asks a claim store, and keeps what it was asked and what it said.

    Args:
        claims: the store.
        clock: the one that it was given.
    """

    def __init__(self, claims: DynamoClaims, clock: Clock) -> None:
        self._claims, self._clock = claims, clock
        self.events: list[Event] = []

    def ask(self, method: str, request: ClaimRequest, *more: bytes) -> Any:
        """Call the store's method."""
        began, wall_us, heard = time.monotonic_ns(), self._clock.wall_us(), None
        try:
            heard = getattr(self._claims, method)(request, *more)
        except StoreUnavailableError:
            return None
        finally:
            self.events.append(Event(began, time.monotonic_ns(), (method, request, *more), wall_us, heard))
        return heard


def first_refused(events: Sequence[Event]) -> Event | None:
    """Return the first event that the model doesn't admit, in the order of their ends; None: it admits all."""
    in_order = sorted(events, key=lambda event: event.ended)
    for at, event in enumerate(in_order):
        # What had begun by then, and had not ended, may have taken effect.
        pending = [other._replace(heard=None) for other in in_order[at + 1 :] if other.began < event.ended]
        if not _explained([*in_order[: at + 1], *pending]):
            return event
    return None


def _explained(events: Sequence[Event]) -> bool:
    seen, due = set(), [(frozenset(range(len(events))), cast("Frozen | None", None))]
    while due:
        left, item = due.pop()
        if all(events[at].heard is None for at in left):
            return True
        if (left, item) in seen:
            continue
        seen.add((left, item))
        earliest = min(events[at].ended for at in left if events[at].heard is not None)
        for at in left:
            if events[at].began <= earliest:
                answer, after = answered(events[at], item)
                if events[at].heard is None or _alike(answer, events[at].heard):
                    due.append((left - {at}, after))
    return False


def answered(event: Event, item: Frozen | None) -> tuple[Any, Frozen | None]:
    """Return what the library answers to a call alone, and the item after it."""
    table = _Table(item)
    method, *arguments = event.call
    claims = DynamoClaims(cast("DynamoClient", table), "table", _At(event.wall_us))
    return getattr(claims, method)(*arguments), table.item


class _Table:
    def __init__(self, item: Frozen | None) -> None:
        self.item = item

    def call(self, operation: str, **arguments: Any) -> Any:
        (_, found), self.item = carried_out(TableCall(operation, arguments), self.item)
        return {"Item": thawed(found)} if found else {}

    def write(self, operation: str, **arguments: Any) -> Written:
        (done, found), self.item = carried_out(TableCall(operation, arguments), self.item)
        return Written(done=done, item=thawed(found))


class _At(NamedTuple):
    us: int

    def wall_us(self) -> int:
        return self.us

    def monotonic(self) -> float:
        return self.us / 1_000_000


def _alike(answer: Any, heard: Any) -> bool:
    """Whether two answers say the same; how long another attempt may still take isn't compared."""
    return type(answer) is type(heard) and (isinstance(answer, InProgress) or answer == heard)

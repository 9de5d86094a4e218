"""What each of many threads in many processes does; module-level, so that processes can be told of it."""

from __future__ import annotations

import time
from dataclasses import dataclass

from tests.contract.places import Place
from tests.harness.processes import Worker
from tidegate.idempotency.claim_store import ClaimStore
from tidegate.limits.concurrency import Slots
from tidegate.limits.leaky_bucket import Drain
from tidegate.limits.quota import Period
from tidegate.limits.sliding_window import Window
from tidegate.limits.token_bucket import Bucket
from tidegate.messages import Charge, ClaimAnswer, ClaimRequest, Question
from tidegate.stores.base import Store

HOUR_US = 3_600_000_000
# Nothing comes back while the test runs.
WIDE, NARROW, SINGLE = Bucket(HOUR_US, 100), Bucket(HOUR_US, 7), Bucket(HOUR_US, 1)
ASKED_BY_EACH = 5
KEYS = 6

LIMITS = {
    "wide": (Charge("wide", WIDE),),
    "both": (Charge("wide", WIDE), Charge("narrow", NARROW)),
    "single": (Charge("single", SINGLE),),
    "window": (Charge("window", Window(HOUR_US // 1000, 50)),),
    "quota": (Charge("quota", Period(0, 2**52, 50)), Charge("wide", WIDE)),
    "leaky": (Charge("leaky", Drain(60_000_000, 9 * 60_000_000)),),
    "too dear": (Charge("narrow", NARROW, cost=NARROW.burst + 1),),
}
# burst / rate is 5 ms: far under what a request takes.
BRISK = Bucket(interval_us=1_000, burst=5)
SLOTS = Slots(7, HOUR_US)


@dataclass(frozen=True)
class Seen:
    """What one thread was told: claims by key, and how often each question was admitted."""

    claimed: list[ClaimAnswer]
    taken_over: list[ClaimAnswer]
    admitted: dict[str, int]
    slots: int
    brisk: int
    began_us: int
    ended_us: int


def open_stores(place: Place, *_: object) -> tuple[Store, ClaimStore]:
    """One pair per process; asked once, so that nobody connects behind the barrier."""
    store, claims = place.open(), place.open_claims()
    store.admit(Question("warm", LIMITS["single"]))
    claims.recall(request("warm", "warm"))
    return store, claims


def everything_at_once(worker: Worker, _: Place, subject: str) -> Seen:
    """Try to take free claims and abandoned ones, then spend until long after the limits are used up."""
    store, claims = worker.shared
    attempt = f"attempt-{worker.index}"
    claimed = [claims.claim(request(f"{subject}-free-{i}", attempt)) for i in range(KEYS)]
    taken_over = [claims.claim(request(f"{subject}-left-{i}", attempt)) for i in range(KEYS)]
    admitted = {name: spend(store, Question(f"{subject}-{name}", charges)) for name, charges in LIMITS.items()}
    slot = Question(f"{subject}-slots", (Charge("slots", SLOTS, holder=attempt),))
    began_us = time.time_ns() // 1000
    brisk = sum(spend(store, Question(f"{subject}-brisk", (Charge("brisk", BRISK),))) for _ in range(4))
    ended_us = time.time_ns() // 1000
    return Seen(claimed, taken_over, admitted, store.admit(slot).admitted, brisk, began_us, ended_us)


def spend(store: Store, question: Question) -> int:
    return sum(store.admit(question).admitted for _ in range(ASKED_BY_EACH))


def request(key: str, attempt: str, *, hold_ms: int = 60_000, lifetime_ms: int = 3_600_000) -> ClaimRequest:
    return ClaimRequest(key, "fingerprint", attempt, hold_ms, lifetime_ms, in_redis=True)

"""32 callers at the same moment, in 8 processes where the store is shared by any: what must be exact, is."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from tests.contract.conftest import Rig
from tests.contract.workers import (
    ASKED_BY_EACH,
    BRISK,
    KEYS,
    LIMITS,
    NARROW,
    SINGLE,
    SLOTS,
    WIDE,
    Seen,
    everything_at_once,
    open_stores,
    request,
)
from tests.harness.processes import Worker, run_at_once
from tidegate.messages import ClaimAnswer, Granted, InProgress, Question

CALLERS = 32


def everywhere(rig: Rig, subject: str) -> list[Seen]:
    if rig.place.kind == "memory":
        return in_threads(rig, subject)
    # The cluster's client is what differs from the single node's; the scripts have had their eight processes there.
    processes = 2 if rig.place.kind == "redis-sharded" else 8
    threads = CALLERS // processes
    return run_at_once(
        everything_at_once, rig.place, subject, processes=processes, threads=threads, prepare=open_stores
    )


def in_threads(rig: Rig, subject: str) -> list[Seen]:
    barrier = Barrier(CALLERS)

    def run(index: int) -> Seen:
        barrier.wait()
        return everything_at_once(Worker(0, index, index, (rig.store, rig.claims)), rig.place, subject)

    with ThreadPoolExecutor(CALLERS) as threads:
        return list(threads.map(run, range(CALLERS)))


def winner_of(answers: list[ClaimAnswer]) -> int:
    """The one that was granted; everybody else is told that it is in progress."""
    [winner] = [index for index, answer in enumerate(answers) if answer == Granted()]
    assert sum(isinstance(answer, InProgress) for answer in answers) == CALLERS - 1
    return winner


# One start of many processes shows all of it: starting them is what takes the time.
@pytest.mark.slow
def test_a_crowd_gets_exactly_what_there_is(rig, new_subject):
    if rig.place.kind == "fakeredis":
        pytest.skip("each process would have a server of its own")
    subject = new_subject()
    dead = [request(f"{subject}-left-{i}", "dead", hold_ms=0) for i in range(KEYS)]
    assert all(rig.claims.claim(left) == Granted() for left in dead)

    seen = everywhere(rig, subject)

    admitted = {name: sum(s.admitted[name] for s in seen) for name in LIMITS}
    assert len(seen) * ASKED_BY_EACH > WIDE.burst
    assert admitted == {
        "wide": WIDE.burst,
        "both": NARROW.burst,
        "single": SINGLE.burst,
        "window": 50,
        "quota": 50,
        "leaky": 10,
        "too dear": 0,
    }
    assert sum(s.slots for s in seen) == SLOTS.slots
    # What comes back while they ask is time's, not the number of callers'. A millisecond is the clocks' own grain.
    passed_us = max(s.ended_us for s in seen) - min(s.began_us for s in seen)
    assert BRISK.burst <= sum(s.brisk for s in seen) <= BRISK.burst + passed_us / BRISK.interval_us + 1
    left = rig.store.admit(Question(f"{subject}-both", LIMITS["wide"])).limits[0].remaining
    assert left == WIDE.burst - NARROW.burst - 1

    for i in range(KEYS):
        first = winner_of([s.claimed[i] for s in seen])
        heir = winner_of([s.taken_over[i] for s in seen])
        assert rig.claims.complete(request(f"{subject}-free-{i}", f"attempt-{first}"), b"answer")
        assert not rig.claims.complete(dead[i], b"too late")
        assert rig.claims.complete(request(dead[i].id, f"attempt-{heir}"), b"answer")

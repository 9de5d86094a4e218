"""A master of a real cluster is killed under load: nobody is told, and nobody gets more than his limit."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import pairwise
from threading import Event
from typing import Self

import pytest

from tests.contract.places import Place
from tests.harness.redis_cluster import RedisCluster
from tidegate.clock import SystemClock
from tidegate.failover.breaker import Breaker
from tidegate.failover.circuit import CircuitBreakerStore
from tidegate.failover.store import FailoverStore
from tidegate.limits.token_bucket import Bucket
from tidegate.messages import Answer, Charge, Question
from tidegate.redis_driver.hash_slots import slot_of_key
from tidegate.stores.memory import MemoryStore

pytestmark = pytest.mark.slow

TIMEOUT_S = 0.15
THREADS = 6
ENDS_WITHIN_S = 60.0
# 200/s, which the threads ask for many times over.
BUCKET = Bucket(5_000, 50)


class StandIn(MemoryStore):
    """The fleet's second store, always well; what is shown here isn't about it."""

    name = "dynamodb"


class Load:
    """Threads that ask one environment for the same few subjects as fast as they can."""

    def __init__(self, store: FailoverStore, subjects: list[str]) -> None:
        self._store = store
        self._questions = [Question(subject, (Charge("limit", BUCKET),)) for subject in subjects]
        self._over = Event()
        self._threads = ThreadPoolExecutor(THREADS)
        self._running: list[Future[None]] = []
        self.answers: dict[str, list[Answer]] = {subject: [] for subject in subjects}

    def __enter__(self) -> Self:
        self._began = time.monotonic()
        self._running = [self._threads.submit(self._ask) for _ in range(THREADS)]
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._threads.shutdown()
        self.took_us = (time.monotonic() - self._began) * 1_000_000
        for thread in self._running:
            thread.result()

    def wait_until(self, holds: Callable[[], bool]) -> None:
        """Wait while the load goes on; a thread that was told of an error ends the wait with it."""
        ends = time.monotonic() + ENDS_WITHIN_S
        while not holds():
            assert time.monotonic() < ends
            for thread in self._running:
                if thread.done():
                    thread.result()
            time.sleep(0.005)

    def answered_by(self, store: str, since: dict[str, int], count: int) -> bool:
        """Whether that store has decided so often on every subject since then."""
        return all(
            sum(answer.store == store for answer in answers[since[subject] :]) >= count
            for subject, answers in self.answers.items()
        )

    def position(self) -> dict[str, int]:
        return {subject: len(answers) for subject, answers in self.answers.items()}

    def _ask(self) -> None:
        while not self._over.is_set():
            for question in self._questions:
                self.answers[question.subject].append(self._store.admit(question))


@pytest.fixture
def chain(sharded_cluster: RedisCluster) -> Iterator[FailoverStore]:
    clock = SystemClock()
    redis = Place("redis-cluster", sharded_cluster.url, timeout_s=TIMEOUT_S).open(clock)
    handles = [CircuitBreakerStore(store, Breaker(clock), clock) for store in (redis, StandIn(clock))]
    store = FailoverStore(handles, MemoryStore(clock), clock)
    yield store
    store.close()


def subjects_of(cluster: RedisCluster) -> list[str]:
    """One subject for each master."""
    found: dict[int, str] = {}
    for number in range(1000):
        subject = f"subject-{number}"
        found.setdefault(cluster.master_of(slot_of_key(subject.encode())).port, subject)
        if len(found) == len(cluster.masters):
            return list(found.values())
    raise AssertionError(found)


def changes(answers: list[Answer]) -> int:
    """How often another store decided than just before."""
    return sum(before.store != after.store for before, after in pairwise(answers))


def test_a_master_killed_under_load_is_no_error_and_gives_nobody_more(sharded_cluster, chain):
    """Admitted <= burst + rate x time + one for each thread and change of store.

    The replica that is promoted has not heard of what the master decided last, which replication loses; but this
    environment has, and carries it along. Only what another thread was told a moment ago, and has not noted yet, is
    not carried: one decision for each thread, whenever the store changes.
    """
    subjects = subjects_of(sharded_cluster)
    with Load(chain, subjects) as load:
        load.wait_until(lambda: load.answered_by("redis", dict.fromkeys(subjects, 0), 200))
        dead = sharded_cluster.kill_master(slot_of_key(subjects[0].encode()))
        killed_at = load.position()
        load.wait_until(lambda: load.answered_by("dynamodb", killed_at, 1))
        sharded_cluster.wait_for_failover(dead)
        promoted_at = load.position()
        load.wait_until(lambda: load.answered_by("redis", promoted_at, 200))
    for subject, answers in load.answers.items():
        admitted = sum(answer.admitted for answer in answers)
        bound = BUCKET.burst + load.took_us / BUCKET.interval_us + THREADS * changes(answers)
        assert admitted <= bound, subject


def test_a_master_that_comes_back_is_a_replica_and_nothing_is_seen_of_it(sharded_cluster, chain):
    subjects = subjects_of(sharded_cluster)
    dead = sharded_cluster.kill_master(slot_of_key(subjects[0].encode()))
    sharded_cluster.wait_for_failover(dead)
    with Load(chain, subjects) as load:
        load.wait_until(lambda: load.answered_by("redis", dict.fromkeys(subjects, 0), 50))
        sharded_cluster.restart(dead)
        back_at = load.position()
        load.wait_until(lambda: not dead.is_master and load.answered_by("redis", back_at, 200))
    assert b"cmd=evalsha" not in dead.command("CLIENT", "LIST")

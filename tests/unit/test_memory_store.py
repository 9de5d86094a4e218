"""What only the memory store has: a bound on what it keeps. The rest is the contract's (tests/contract)."""

from tidegate.algorithms.token_bucket import Bucket
from tidegate.question import Charge, Question
from tidegate.stores.memory import MemoryStore
from tidegate.testing import FakeClock

SLOW = Bucket(interval_us=3_600_000_000, burst=1)


def question(subject: str) -> Question:
    return Question(subject, (Charge("limit", SLOW),))


def test_beyond_its_capacity_the_bucket_unused_for_longest_is_forgotten():
    store = MemoryStore(FakeClock(), capacity=2)
    for subject in ("a", "b", "c"):
        assert store.admit(question(subject)).admitted
    assert not store.admit(question("c")).admitted
    assert not store.admit(question("b")).admitted
    assert store.admit(question("a")).admitted


def test_it_always_answers_a_probe():
    store = MemoryStore(FakeClock())
    store.probe()
    store.close()

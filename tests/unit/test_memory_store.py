"""What only the memory store has: a bound on what it keeps. The rest is the contract's (tests/contract)."""

from tidegate.algorithms.token_bucket import Bucket
from tidegate.question import Charge, ClaimRequest, Completed, Granted, Question, Settlement
from tidegate.stores.memory import MemoryStore
from tidegate.testing import FakeClock

SLOW = Bucket(interval_us=3_600_000_000, burst=1)


def question(subject: str) -> Question:
    return Question(subject, (Charge("limit", SLOW),))


def request(key: str, attempt: str = "first") -> ClaimRequest:
    return ClaimRequest(key, "print", attempt, hold_ms=1000, lifetime_ms=60_000)


def test_beyond_its_capacity_the_bucket_unused_for_longest_is_forgotten():
    store = MemoryStore(FakeClock(), capacity=2)
    for subject in ("a", "b", "c"):
        assert store.admit(question(subject)).admitted
    assert not store.admit(question("c")).admitted
    assert not store.admit(question("b")).admitted
    assert store.admit(question("a")).admitted


def test_beyond_its_capacity_the_oldest_claim_is_forgotten():
    store = MemoryStore(FakeClock(), capacity=2)
    for key in ("a", "b", "c"):
        assert store.claim(request(key)) == Granted()
        assert store.complete(request(key), key.encode())
    assert store.claim(request("c", "second")) == Completed(b"c")
    assert store.claim(request("b", "second")) == Completed(b"b")
    assert store.claim(request("a", "second")) == Granted()


def test_a_copy_of_what_another_store_guards_isnt_kept():
    store = MemoryStore(FakeClock())
    assert store.settle(Settlement("subject", request("a"), b"answer", fenced=False))
    assert store.claim(request("a", "second")) == Granted()


def test_a_fenced_settlement_completes_or_releases_its_own_claim():
    store = MemoryStore(FakeClock())
    store.claim(request("a"))
    assert not store.settle(Settlement("subject", request("a", "other"), b"answer", fenced=True))
    assert store.settle(Settlement("subject", request("a"), None, fenced=True))
    store.claim(request("a", "second"))
    assert store.settle(Settlement("subject", request("a", "second"), b"answer", fenced=True))
    assert store.claim(request("a", "third")) == Completed(b"answer")


def test_it_always_answers_a_probe():
    store = MemoryStore(FakeClock())
    store.probe()
    store.close()
    assert store.table is None

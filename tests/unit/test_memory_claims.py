"""What only the memory's claims have: a bound on what they keep. The rest is the contract's (tests/contract)."""

import pytest

from tidegate import StoreUnavailableError
from tidegate.idempotency import memory as memory_claims
from tidegate.idempotency.memory import MemoryClaims
from tidegate.messages import ClaimRequest, Completed, Granted, InProgress


def request(key: str, attempt: str = "first", owner: str = "victim") -> ClaimRequest:
    return ClaimRequest(f"{owner}-{key}", "print", attempt, hold_ms=1000, lifetime_ms=60_000, owner=owner)


def complete(claims: MemoryClaims, asked: ClaimRequest, record: bytes = b"answer") -> None:
    assert claims.claim(asked) == Granted()
    assert claims.complete(asked, record)


def refuses(claims: MemoryClaims, asked: ClaimRequest) -> bool:
    with pytest.raises(StoreUnavailableError) as raised:
        claims.claim(asked)
    return raised.value.kind == "out-of-memory"


def test_they_lie_in_no_table(clock):
    assert MemoryClaims(clock).table is None


def test_no_number_of_a_strangers_keys_takes_a_claim_or_an_answer_away(clock):
    claims = MemoryClaims(clock)
    complete(claims, request("answered"))
    assert claims.claim(request("running")) == Granted()
    refused = 0
    for n in range(memory_claims.CLAIMS_OF_ONE + 10):
        try:
            complete(claims, request(str(n), owner="stranger"))
        except StoreUnavailableError:
            refused += 1
    assert refused == 10
    assert claims.claim(request("answered", "retry")) == Completed(b"answer")
    assert isinstance(claims.claim(request("running", "retry")), InProgress)
    complete(claims, request("new"))


def test_beyond_what_one_may_hold_the_others_are_let_in(clock):
    claims = MemoryClaims(clock, capacity=10, per_owner=2)
    complete(claims, request("a", owner="one"))
    assert claims.claim(request("b", owner="one")) == Granted()
    assert refuses(claims, request("c", owner="one"))
    complete(claims, request("a", owner="other"))


def test_beyond_what_all_may_hold_nobody_is_let_in_and_nothing_forgotten(clock):
    claims = MemoryClaims(clock, capacity=2)
    for owner in ("one", "two"):
        complete(claims, request("a", owner=owner))
    assert refuses(claims, request("a", owner="three"))
    for owner in ("one", "two"):
        assert claims.claim(request("a", "retry", owner)) == Completed(b"answer")


def test_an_answer_is_kept_for_its_lifetime_and_no_longer(clock):
    claims = MemoryClaims(clock)
    complete(claims, request("a"))
    clock.advance(59.999)
    assert claims.claim(request("a", "retry")) == Completed(b"answer")
    clock.advance(0.001)
    assert claims.recall(request("a", "retry")) is None
    assert claims.claim(request("a", "retry")) == Granted()


def test_what_has_expired_makes_room(clock):
    claims = MemoryClaims(clock, capacity=2)
    complete(claims, request("a"))
    assert claims.claim(request("b")) == Granted()
    assert refuses(claims, request("c"))
    clock.advance(61)
    complete(claims, request("c"))


def test_what_is_released_makes_room(clock):
    claims = MemoryClaims(clock, capacity=1)
    assert claims.claim(request("a")) == Granted()
    assert claims.release(request("a"))
    assert claims.claim(request("b")) == Granted()


def test_asking_again_for_the_same_takes_no_more_room(clock):
    claims = MemoryClaims(clock, capacity=1, per_owner=1)
    for _ in range(3):
        assert claims.claim(request("a")) == Granted()
    clock.advance(2)
    assert claims.claim(request("a", "heir")) == Granted()
    assert claims.renew(request("a", "heir"), b"{}")
    assert claims.complete(request("a", "heir"), b"answer")


@pytest.mark.parametrize("bound", ["BYTES", "BYTES_OF_ONE"])
def test_large_answers_are_bounded_too(clock, bound, monkeypatch):
    monkeypatch.setattr(memory_claims, bound, 1000)
    claims = MemoryClaims(clock)
    complete(claims, request("a"), bytes(999))
    complete(claims, request("b"), bytes(999))  # who was let in keeps its answer
    assert refuses(claims, request("c"))
    assert claims.claim(request("b", "retry")) == Completed(bytes(999))
    clock.advance(61)
    complete(claims, request("c"), bytes(999))

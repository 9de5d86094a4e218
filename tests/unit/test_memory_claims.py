"""What only the memory's claims have: a bound on what they keep. The rest is the contract's (tests/contract)."""

from tidegate.question import ClaimRequest, Completed, Granted
from tidegate.stores.memory_claims import MemoryClaims
from tidegate.testing import FakeClock


def request(key: str, attempt: str = "first") -> ClaimRequest:
    return ClaimRequest(key, "print", attempt, hold_ms=1000, lifetime_ms=60_000)


def test_beyond_its_capacity_the_oldest_claim_is_forgotten():
    claims = MemoryClaims(FakeClock(), capacity=2)
    for key in ("a", "b", "c"):
        assert claims.claim(request(key)) == Granted()
        assert claims.complete(request(key), key.encode())
    assert claims.claim(request("c", "second")) == Completed(b"c")
    assert claims.claim(request("b", "second")) == Completed(b"b")
    assert claims.claim(request("a", "second")) == Granted()
    assert claims.table is None

"""A held claim, once it is settled."""

from __future__ import annotations

import pytest

from tidegate.failover.store import FailoverStore
from tidegate.idempotency.held_claim import ClaimBackends, HeldClaim
from tidegate.idempotency.memory import MemoryClaims
from tidegate.messages import ClaimRequest, Granted
from tidegate.stores.memory import MemoryStore
from tidegate.testing import FakeClock


@pytest.mark.parametrize("record", [None, b"answer"], ids=["released", "completed"])
def test_what_is_settled_is_renewed_no_more(clock: FakeClock, record: bytes | None) -> None:
    request, claims = ClaimRequest("key", "print", "first", 30_000, 60_000), MemoryClaims(clock)
    backends = ClaimBackends("subject", FailoverStore((), MemoryStore(clock), clock), claims, clock)
    assert claims.claim(request) == Granted()
    held = HeldClaim(request, backends, b"", lambda: 30_000, clock.monotonic(), by_redis=False)
    assert held.settle(record, tuple)
    assert not held.live_on()
    assert not held.keep(b"{}")
    assert not held.lost.is_set(), "the store was asked"

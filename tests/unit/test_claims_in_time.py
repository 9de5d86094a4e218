"""Claims end in time, and a store that hangs is asked by one at a time."""

import threading
from dataclasses import dataclass

import pytest

from tidegate import StoreUnavailableError
from tidegate.failover.breaker import Breaker
from tidegate.idempotency.bounded_claims import BoundedClaims
from tidegate.idempotency.lazy_claims import LazyClaims
from tidegate.idempotency.memory import MemoryClaims
from tidegate.lazy import Lazy
from tidegate.messages import ClaimRequest, Granted
from tidegate.testing import FakeClock

REQUEST = ClaimRequest("id", "print", "mine", 1000, 60_000)


class Faulty(MemoryClaims):
    """Claims that hang, or fail."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.hangs = False
        self.error: Exception | None = None
        self.asked = 0
        self.ends = threading.Event()

    def claim(self, request):
        self.asked += 1
        if self.hangs:
            self.ends.wait(60)
        if self.error is not None:
            raise self.error
        return super().claim(request)


@pytest.fixture
def faulty(clock):
    made = Faulty(clock)
    yield made
    made.ends.set()


@dataclass
class Parts:
    """What of a table's parts the claims are made of."""

    claims: Faulty
    client: "Parts"

    def prepare(self) -> None:
        """Nothing to load."""


@pytest.fixture
def in_time(clock) -> BoundedClaims:
    return BoundedClaims(Breaker(clock), within_s=0.02)


@pytest.fixture
def claims(faulty, in_time) -> LazyClaims:
    return LazyClaims("table", Lazy(lambda: Parts(faulty, Parts(faulty, None))), in_time)


@pytest.fixture
def patient(in_time) -> BoundedClaims:
    in_time._within_s = 60
    return in_time


def fails(claims: LazyClaims) -> str:
    with pytest.raises(StoreUnavailableError) as raised:
        claims.claim(REQUEST)
    assert raised.value.store == "dynamodb"
    return raised.value.kind


def test_a_store_that_answers_is_asked(claims, patient):
    assert claims.claim(REQUEST) == Granted()
    assert claims.renew(REQUEST)
    assert claims.complete(REQUEST, b"answer")
    assert claims.recall(REQUEST).record == b"answer"
    assert not claims.release(REQUEST)
    assert claims.table == "table"


def test_one_claim_finds_out_that_the_store_hangs_and_the_others_are_told(claims, faulty):
    faulty.hangs = True
    assert [fails(claims) for _ in range(4)] == ["timeout", *["breaker-open"] * 3]
    assert faulty.asked == 1


def test_a_drivers_own_timeout_is_one_too(claims, faulty):
    faulty.error = StoreUnavailableError("dynamodb", "timeout")
    assert [fails(claims) for _ in range(2)] == ["timeout", "breaker-open"]


def test_it_is_probed_after_a_pause_and_back_when_it_answers(claims, faulty, clock, in_time):
    faulty.hangs = True
    fails(claims)
    clock.advance(1)
    assert [fails(claims) for _ in range(2)] == ["timeout", "breaker-open"]
    faulty.hangs = False
    clock.advance(1)
    in_time._within_s = 60
    assert claims.claim(REQUEST) == Granted()
    assert claims.claim(REQUEST) == Granted()


def test_any_answer_of_the_table_lets_it_be_asked_again_at_once(claims, faulty, in_time):
    faulty.hangs = True
    fails(claims)
    faulty.hangs = False
    assert fails(claims) == "breaker-open"
    in_time.heard()
    in_time._within_s = 60
    assert claims.claim(REQUEST) == Granted()
    in_time.heard()
    assert claims.claim(REQUEST) == Granted()


QUICK = [
    StoreUnavailableError("dynamodb", "refused"),
    StoreUnavailableError("dynamodb", "throttled"),
    StoreUnavailableError("dynamodb", "authentication"),
    StoreUnavailableError("dynamodb", "unreadable"),
]


@pytest.mark.parametrize("error", QUICK, ids=str)
def test_what_fails_at_once_is_tried_anew_by_each(claims, faulty, patient, error):
    faulty.error = error
    assert [fails(claims) for _ in range(3)] == [error.kind] * 3
    faulty.error = None
    assert claims.claim(REQUEST) == Granted()


def test_a_bug_is_raised_as_it_is_and_holds_nobody_up(claims, faulty, patient):
    faulty.error = ZeroDivisionError()
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            claims.claim(REQUEST)
    faulty.error = None
    assert claims.claim(REQUEST) == Granted()

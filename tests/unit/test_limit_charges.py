"""What one request was charged: noted when it is admitted, and put right once."""

from __future__ import annotations

import pytest

from tidegate import Caller, Concurrency, LeakyBucket, Policy, TokenBucket
from tidegate.decision import LimitState
from tidegate.limits.charges import NOTHING_CHARGED, ChargeContext, LimitCharges, charge_set
from tidegate.limits.limit import Limit
from tidegate.messages import Answer
from tidegate.routing import RoutePolicy

NOW_US = 1_800_000_000_000_000
BUCKET = TokenBucket("9/s", cost=2)


def charged(limit: Limit, *, admitted: bool = True, wait_us: int = 0) -> LimitCharges:
    """Charges of one limit, after Redis has answered."""
    route = RoutePolicy("/a", "GET", Policy(limits=[limit]))
    charges = LimitCharges(charge_set(route, ChargeContext(Caller("key:alice"), {}, NOW_US), "test"))
    state = LimitState(admitted, 1, 0 if admitted else 1_000_000, wait_us=wait_us)
    charges.read(Answer(admitted, (state,), None, "redis"), NOW_US)
    return charges


def test_corrections_are_taken_once():
    charges = charged(BUCKET)
    [correction] = charges.take_corrections({None: 5})
    assert correction.cost == 3
    assert charges.take_corrections({None: 5}) == ()


def test_a_store_that_charged_nothing_is_given_no_corrections():
    charges = charged(BUCKET)
    assert charges.take_corrections({None: 5}, "dynamodb") == ()
    assert [c.cost for c in charges.take_corrections({None: 5}, "redis")] == [3]


@pytest.mark.parametrize("limit", [BUCKET, Concurrency(2)])
def test_a_refused_request_has_nothing_to_put_right(limit):
    charges = charged(limit, admitted=False)
    assert not charges.unsettled
    assert charges.renewals() == charges.take_corrections({None: 5}) == ()


def test_a_slot_is_renewed_until_it_is_settled():
    charges = charged(Concurrency(2))
    assert len(charges.renewals()) == 1
    [freed] = charges.take_corrections({})
    assert freed.cost == -1
    assert charges.renewals() == ()


def test_a_reserved_start_is_waited_for_only_if_the_request_is_admitted():
    assert charged(LeakyBucket("1/s"), wait_us=250_000).wait_us == 250_000
    assert charged(LeakyBucket("1/s"), admitted=False, wait_us=250_000).wait_us == 0


def test_what_was_never_charged_has_nothing_to_put_right():
    assert NOTHING_CHARGED.take_corrections({None: 5}) == NOTHING_CHARGED.renewals() == ()

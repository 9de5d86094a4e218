"""What lies in DynamoDB: one item per subject, which outlives every debt in it; written without a read."""

import pytest

from tests.contract.places import close
from tests.contract.workers import request
from tests.harness.http_faults import HttpFaults
from tidegate.limits.sliding_window import Window
from tidegate.limits.token_bucket import Bucket
from tidegate.messages import Charge, Question
from tidegate.testing import FakeClock

RUNS_ON = ["dynamodb"]

DAILY = Charge("daily", Bucket(interval_us=86_400_000_000 // 1000, burst=1000), cost=1000)
QUICK = Charge("quick", Bucket(interval_us=1000, burst=10))


@pytest.fixture
def item_of(dynamo, place):
    def read(pk: str) -> dict:
        [item] = [item for item in dynamo.items(place.table) if item["pk"]["S"] == pk]
        return item

    return read


def now_s(rig) -> int:
    return rig.clock.wall_us() // 1_000_000


def test_a_subject_is_one_item_with_a_number_per_bucket(clocked, item_of):
    clocked.store.admit(Question("subject", (DAILY, QUICK)))
    item = item_of("limit#subject")
    assert set(item) == {"pk", "expires_at", "daily", "quick"}
    assert int(item["quick"]["N"]) == clocked.clock.wall_us() + 1000


def test_an_item_expires_a_day_after_its_buckets_are_full_again(clocked, item_of):
    clocked.store.admit(Question("subject", (QUICK,)))
    assert 86_400 <= int(item_of("limit#subject")["expires_at"]["N"]) - now_s(clocked) <= 86_580


@pytest.mark.parametrize("environment", ["the same", "another"])
def test_no_later_question_lets_a_deep_buckets_debt_expire(clocked, item_of, environment):
    clocked.store.admit(Question("subject", (DAILY,)))
    clocked.advance_us(60_000_000)
    store = clocked.store if environment == "the same" else clocked.another()
    for _ in range(3):
        assert store.admit(Question("subject", (QUICK,))).admitted
        clocked.advance_us(60_000_000)
    item = item_of("limit#subject")
    assert int(item["expires_at"]["N"]) >= int(item["daily"]["N"]) // 1_000_000


def test_claims_expire_with_their_answers(clocked, item_of):
    clocked.claims.claim(request("key", "first", lifetime_ms=60_000))
    assert 60 <= int(item_of("claim#key")["expires_at"]["N"]) - now_s(clocked) <= 62
    clocked.advance_us(10_000_000)
    clocked.claims.complete(request("key", "first", lifetime_ms=60_000), b"answer")
    assert 60 <= int(item_of("claim#key")["expires_at"]["N"]) - now_s(clocked) <= 62


def test_the_probes_item_expires(clocked, item_of):
    clocked.store.probe()
    assert now_s(clocked) < int(item_of("probe")["expires_at"]["N"]) <= now_s(clocked) + 120


@pytest.fixture
def counted(place, dynamo):
    """A store whose calls are listed."""
    clock = FakeClock()
    with HttpFaults(dynamo.port) as calls:
        store = type(place)("dynamodb", calls.endpoint_url, place.table).open(clock)
        yield store, calls, clock
        close(store)


def test_a_caller_within_its_limits_costs_one_write_each(counted):
    store, calls, clock = counted
    for _ in range(20):
        assert store.admit(Question("subject", (QUICK,))).admitted
        clock.advance(0.001)
    assert calls.operations == ["UpdateItem"] * 20


def test_a_caller_within_its_window_costs_one_write_each(counted):
    store, calls, clock = counted
    window = Charge("window", Window(60_000, 1000))
    for _ in range(100):
        assert store.admit(Question("subject", (window,))).admitted
        clock.advance(0.6)
    assert calls.operations == ["UpdateItem"] * 100


def test_a_refusal_costs_one_write_that_isnt_made(counted):
    store, calls, _ = counted
    store.admit(Question("subject", (DAILY,)))
    before = len(calls.operations)
    for _ in range(5):
        assert not store.admit(Question("subject", (DAILY,))).admitted
    assert calls.operations[before:] == ["UpdateItem"] * 5


def test_what_can_never_be_admitted_writes_nothing(counted, place, dynamo):
    store, calls, _ = counted
    too_dear = Charge("daily", DAILY.rule, 1001)
    assert not store.admit(Question("subject", (too_dear,))).admitted
    assert calls.operations == ["UpdateItem"]
    assert dynamo.items(place.table) == []


def test_a_caller_of_two_routes_costs_one_write_each(counted):
    store, calls, _ = counted
    one, other = (
        Question("subject", (Charge("one", DAILY.rule),)),
        Question("subject", (Charge("two", DAILY.rule),)),
    )
    store.admit(one)
    store.admit(other)
    before = len(calls.operations)
    for question in (one, other) * 3:
        assert store.admit(question).admitted
    assert calls.operations[before:] == ["UpdateItem"] * 6

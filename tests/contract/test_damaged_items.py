"""What lies in DynamoDB and is none of ours: a limit starts anew, a claim stands, and nobody else notices."""

from __future__ import annotations

import pytest

from tests.contract.store_errors import kind_of
from tests.contract.workers import request
from tidegate import StoreUnavailableError
from tidegate.clock import SystemClock
from tidegate.failover.breaker import Breaker
from tidegate.failover.circuit import CircuitBreakerStore
from tidegate.limits.concurrency import Slots
from tidegate.limits.leaky_bucket import Drain
from tidegate.limits.overrides import read_overrides
from tidegate.limits.quota import Period
from tidegate.limits.sliding_window import Window
from tidegate.limits.sliding_window_counter import WindowCounter
from tidegate.limits.token_bucket import Bucket
from tidegate.messages import Charge, Completed, Fleet, Granted, Question, Settlement, Unreadable
from tidegate.stores.dynamodb.client import DynamoClient, DynamoTimeouts
from tidegate.stores.dynamodb.fleet import FleetCounter, FleetTable
from tidegate.stores.fleet import FleetView
from tidegate.testing import FakeClock

pytestmark = pytest.mark.slow

RUNS_ON = ["dynamodb"]

DAY_US = 86_400_000_000


def now_us() -> int:
    return SystemClock().wall_us()


def charges() -> dict[str, Charge]:
    start = now_us() // DAY_US * DAY_US
    return {
        "bucket": Charge("a", Bucket(60_000_000, 3)),
        "drain": Charge("a", Drain(60_000_000, 120_000_000)),
        "window": Charge("a", Window(3_600_000, 3)),
        "counter": Charge("a", WindowCounter(3_600_000, 3)),
        "quota": Charge("a", Period(start, start + DAY_US, 3)),
        "slots": Charge("a", Slots(3, 60_000_000), holder="me"),
    }


ODD = {
    "a text": {"S": "1"},
    "bytes": {"B": b"1"},
    "a list": {"L": [{"N": "1"}]},
    "a map": {"M": {"me": {"S": "1"}}},
    "nothing": {"NULL": True},
    "a truth": {"BOOL": True},
    "a fraction": {"N": "1.5"},
    "a negative": {"N": "-1"},
    "a moment in ages": {"N": "1" + "0" * 30},
}


@pytest.fixture
def put(dynamo_client, place):
    def put(pk: str, **attributes: object) -> None:
        dynamo_client.put_item(TableName=place.table, Item={"pk": {"S": pk}, **attributes})

    return put


@pytest.fixture
def item_of(dynamo, place):
    return lambda pk: next((item for item in dynamo.items(place.table) if item["pk"]["S"] == pk), None)


@pytest.mark.parametrize("kind", charges())
@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_a_limits_state_that_is_none_is_replaced(rig, place, put, dynamo, kind, odd):
    charge = charges()[kind]
    question = Question("subject", (charge,))
    rig.store.admit(question)
    [item] = dynamo.items(place.table)
    names = [name for name in item if name.startswith("a")]
    put("limit#subject", expires_at={"N": str(now_us() // 1_000_000 + 60)}, **dict.fromkeys(names, odd))
    store = rig.another()
    assert store.admit(question).admitted
    assert [store.admit(question._replace(peek=True)).limits[0].allowed for _ in range(2)] == [True, True]
    store.settle(Settlement("subject", None, None, fenced=False, corrections=(charge._replace(cost=-1),)))


@pytest.mark.parametrize("kind", ["window", "counter", "quota"])
def test_half_of_a_limits_state_is_replaced(rig, place, put, dynamo, kind):
    question = Question("subject", (charges()[kind],))
    rig.store.admit(question)
    [item] = dynamo.items(place.table)
    kept = {name: value for name, value in item.items() if name in {"a.t", "a.w", "a.s", "expires_at"}}
    put("limit#subject", **kept)
    assert rig.another().admit(question).admitted


@pytest.mark.parametrize("odd", [{"S": "never"}, {"N": "1" + "0" * 30}, {"NULL": True}], ids=repr)
def test_an_expiry_that_is_none_is_replaced(rig, put, item_of, odd):
    put("limit#subject", expires_at=odd)
    assert rig.store.admit(Question("subject", (charges()["bucket"],))).admitted
    assert int(item_of("limit#subject")["expires_at"]["N"]) < 2 * now_us()


def test_what_lies_beside_a_damaged_limit_stays(rig, put, item_of):
    put("limit#subject", a={"S": "x"}, b={"N": "7"}, expires_at={"N": str(now_us() // 1_000_000 + 60)})
    assert rig.store.admit(Question("subject", (charges()["bucket"],))).admitted
    assert item_of("limit#subject")["b"] == {"N": "7"}


CLAIM = request("claim", "mine")


def claimed(**changes: object) -> dict[str, object]:
    now_s = now_us() // 1_000_000
    whole = {
        "state": {"S": "claimed"},
        "fingerprint": {"S": CLAIM.fingerprint},
        "attempt_id": {"S": "another"},
        "deadline_ms": {"N": str(now_s * 1000 - 1)},
        "expires_at": {"N": str(now_s + 600)},
    }
    return {name: value for name, value in (whole | changes).items() if value is not None}


DAMAGED_CLAIMS = {
    "no state": {"state": None},
    "a state of a number": {"state": {"N": "1"}},
    "another state": {"state": {"S": "odd"}},
    "no fingerprint": {"fingerprint": None},
    "a fingerprint of bytes": {"fingerprint": {"B": b"x"}},
    "no attempt": {"attempt_id": None},
    "a deadline of text": {"deadline_ms": {"S": "1"}},
    "no deadline": {"deadline_ms": None},
    "a fraction of a deadline": {"deadline_ms": {"N": "1.5"}},
    "an expiry of text": {"expires_at": {"S": "1"}},
    "points of text": {"points": {"S": "{}"}},
    "no record": {"state": {"S": "completed"}},
    "a record of text": {"state": {"S": "completed"}, "record": {"S": "x"}},
    "a record of numbers": {"state": {"S": "completed"}, "record": {"NS": ["1"]}},
}


@pytest.mark.parametrize("changes", DAMAGED_CLAIMS.values(), ids=DAMAGED_CLAIMS)
def test_a_damaged_claim_stands_and_is_said_to_be_unreadable(rig, put, item_of, changes):
    item = claimed(**changes)
    put("claim#claim", **item)
    for _ in range(2):
        assert rig.claims.claim(CLAIM) == Unreadable()
        assert rig.claims.recall(CLAIM) is None
        assert not rig.claims.renew(CLAIM)
        assert not rig.claims.complete(CLAIM, b"answer")
        assert not rig.claims.release(CLAIM)
    assert item_of("claim#claim") == {"pk": {"S": "claim#claim"}, **item}


def test_what_the_changes_above_are_made_to_is_a_claim_that_was_left(rig, put):
    put("claim#claim", **claimed())
    assert rig.claims.claim(CLAIM) == Granted()


def test_a_claim_whose_answer_lacks_points_and_has_bytes_is_replayed(rig, put):
    put("claim#claim", **claimed(state={"S": "completed"}, record={"B": b"answer"}))
    assert rig.claims.claim(CLAIM) == Completed(b"answer")


# ── what says something of the table, and what doesn't ──────────────────────────────────────────────────────


@pytest.fixture
def client(place):
    made = DynamoClient(DynamoTimeouts(20.0, 20.0), endpoint_url=place.address)
    yield made
    made.close()


def test_a_request_that_isnt_valid_says_nothing_of_the_table(client, place):
    key = {"pk": {"S": "x"}}
    odd = {"UpdateExpression": "SET a = b + :c", "ExpressionAttributeValues": {":c": {"S": "text"}}}
    assert kind_of(lambda: client.write("UpdateItem", TableName=place.table, Key=key, **odd)) == "unreadable"


def test_another_tables_key_says_something_of_the_table(client, place):
    assert kind_of(lambda: client.call("GetItem", TableName=place.table, Key={"other": {"S": "x"}})) == "protocol"


def test_a_bug_of_ours_is_raised_as_what_it_is(client, place):
    with pytest.raises(Exception) as raised:  # noqa: PT011  whatever botocore's serializer makes of it
        client.call("GetItem", TableName=place.table, Key=lambda: None)
    assert not isinstance(raised.value, StoreUnavailableError)


def test_one_subjects_item_that_can_take_no_more_opens_no_breaker(rig, client, place):
    """An item may have 400 KB; what is beyond it is refused as not valid."""
    clock = SystemClock()
    tracked = CircuitBreakerStore(rig.store, Breaker(clock), clock)
    full = {"pk": {"S": "limit#full"}, "x": {"B": bytes(409_500)}}
    client.call("PutItem", TableName=place.table, Item=full)
    question = Question("full", (Charge("a" * 200, Bucket(60_000_000, 3)), Charge("b" * 200, Bucket(60_000_000, 3))))
    try:
        tracked.ask(lambda store: store.admit(question))
    except StoreUnavailableError as error:
        assert error.kind == "unreadable"  # noqa: PT017  an engine without that bound admits
    assert tracked.trusted
    assert tracked.ask(lambda store: store.admit(Question("other", (charges()["bucket"],)))).admitted


@pytest.mark.parametrize(
    "item", [{"w": {"S": "x"}}, {"w": {"N": "1"}, "n": {"S": "x"}}, {"n": {"N": "1"}}, {"w": {"N": "1.5"}}], ids=repr
)
def test_a_count_of_the_fleet_that_is_none_is_begun_anew(put, client, place, item):
    put("fleet#n", **item)
    clock = FakeClock()
    counter = FleetCounter(FleetTable(client, place.table, "n"), clock, FleetView(clock, Fleet()))
    counter.beat()
    assert not counter.due


def test_a_count_of_this_window_that_is_no_number_is_begun_anew(put, client, place):
    clock = FakeClock()
    counter = FleetCounter(FleetTable(client, place.table, "n"), clock, FleetView(clock, Fleet()))
    put("fleet#n", w={"N": str(counter._current())}, n={"S": "x"}, p={"N": "0"})
    counter.beat()
    counter.beat()
    assert not counter.due


@pytest.mark.parametrize("limits", [{"N": "1"}, {"S": "[]"}, {"S": '{"a": 1}'}, {"S": "[" * 100_000}, {"S": "x"}])
def test_overrides_that_are_none_are_a_value_error(put, client, place, limits):
    put("overrides#n", limits=limits)
    with pytest.raises(ValueError):  # noqa: PT011  whatever it says
        read_overrides(client, place.table, "n")

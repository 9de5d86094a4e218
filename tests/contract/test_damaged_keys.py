"""What lies in Redis and is none of ours: a limit and a copy start anew, a claim stands, and nobody else notices."""

from __future__ import annotations

import struct
from contextlib import suppress

import pytest
import redis as driver

from tests.contract.test_damaged_items import charges
from tests.contract.workers import request
from tidegate import StoreUnavailableError
from tidegate.cache_messages import CacheHit, CacheLease, CacheRequest, CacheWrite, Windows
from tidegate.clock import SystemClock
from tidegate.failover.breaker import Breaker
from tidegate.failover.circuit import CircuitBreakerStore
from tidegate.messages import Charge, Completed, Granted, Question, Settlement, Unknown, Unreadable
from tidegate.stores.redis.store import RedisStore

RUNS_ON = ["redis", "redis-cluster", "valkey"]

CLAIM = request("claim", "mine")
CLAIM_KEY = "tidegate:{subject}:i:claim"


def put(place_db: driver.Redis, key: str, kind: str) -> None:
    match kind:
        case "list":
            place_db.rpush(key, "x")
        case "hash":
            place_db.hset(key, "x", "y")
        case "set":
            place_db.sadd(key, "x")
        case "sorted set":
            place_db.zadd(key, {"x": float("inf"), "y": float("inf"), "z": float("inf")})
        case "stream":
            place_db.xadd(key, {"x": "y"})
        case _:
            place_db.set(key, kind)


TYPES = ["list", "hash", "set", "sorted set", "stream"]
TEXTS = ["x", "", "inf", "nan", "-inf", "1e300", "-1", "0x7fffffffffffffff", "9" * 40, f"{'9' * 30}:1:1", "::", "\0"]


@pytest.mark.parametrize("kind", charges())
@pytest.mark.parametrize("odd", [*TYPES, *TEXTS], ids=repr)
def test_a_limits_state_that_is_none_is_replaced(rig, place_db, kind, odd):
    charge = charges()[kind]
    question = Question("subject", (charge,))
    rig.store.admit(Question("else"))
    rig.store.admit(question)
    [key] = place_db.keys("tidegate:{subject}:*")
    place_db.delete(key)
    put(place_db, key, odd)
    answer = rig.store.admit(question)
    assert answer.admitted
    assert 0 <= answer.limits[0].remaining <= 3
    place_db.delete(key)
    put(place_db, key, odd)
    rig.store.settle(Settlement("subject", None, None, fenced=False, corrections=(charge._replace(cost=-1),)))
    assert rig.store.admit(question._replace(peek=True)).admitted


@pytest.mark.parametrize(
    "odd", [*TYPES, "x", "9" * 64, *(struct.pack(">8d", *[v] * 8) for v in (float("nan"), 1e300, -1.0))]
)
def test_a_clock_of_the_ladder_that_is_none_is_begun_anew(rig, place_db, odd):
    key = "tidegate:{fleet:contract}:clock"
    question = Question("subject", (charges()["bucket"],))
    rig.store.admit(question)
    place_db.delete(key)
    put(place_db, key, odd)
    assert rig.store.admit(question).store == "redis"
    assert rig.another().admit(Question("new", (charges()["bucket"],))).admitted


@pytest.mark.parametrize("odd", [kind for kind in TYPES if kind != "hash"] + ["x"])
@pytest.mark.parametrize("in_redis", [True, False])
def test_a_claims_key_of_another_type(rig, place_db, odd, in_redis):
    put(place_db, CLAIM_KEY, odd)
    question = Question("subject", (charges()["bucket"],), CLAIM._replace(in_redis=in_redis))
    for _ in range(2):
        answer = rig.store.admit(question)
        assert answer.claim == (Unreadable() if in_redis else Unknown())
    assert answer.limits[0].remaining == (3 if in_redis else 1), "who is told nothing new is charged nothing"
    assert place_db.exists(CLAIM_KEY)


@pytest.mark.parametrize("odd", [kind for kind in TYPES if kind != "hash"] + ["x"])
def test_the_claim_stores_answer_replaces_a_copy_of_another_type(rig, place_db, odd):
    put(place_db, CLAIM_KEY, odd)
    assert rig.store.settle(Settlement("subject", CLAIM, b"answer", fenced=False))
    assert rig.store.admit(Question("subject", claim=CLAIM)).claim == Completed(b"answer")


DAMAGED = [
    {"record": "x"},
    {"attempt": "another"},
    {"attempt": "another", "deadline": "9" * 15},
    {"fingerprint": CLAIM.fingerprint, "attempt": "another"},
    {"fingerprint": CLAIM.fingerprint, "attempt": "another", "deadline": "soon"},
    {"fingerprint": CLAIM.fingerprint, "attempt": "another", "deadline": "inf"},
    {"fingerprint": CLAIM.fingerprint, "attempt": "another", "deadline": "nan"},
]


@pytest.mark.parametrize("fields", DAMAGED, ids=repr)
def test_a_damaged_claim_stands_and_is_said_to_be_unreadable(rig, place_db, fields):
    place_db.hset(CLAIM_KEY, mapping=fields)
    question = Question("subject", claim=CLAIM._replace(in_redis=True))
    for _ in range(2):
        assert rig.store.admit(question).claim == Unreadable()
    assert place_db.hgetall(CLAIM_KEY) == {name.encode(): value.encode() for name, value in fields.items()}
    assert rig.store.admit(Question("subject", claim=CLAIM._replace(in_redis=False))).claim == Unknown()


def test_a_claim_that_was_left_is_none_of_these(rig, place_db):
    place_db.hset(CLAIM_KEY, mapping={"fingerprint": CLAIM.fingerprint, "attempt": "another", "deadline": "1"})
    assert rig.store.admit(Question("subject", claim=CLAIM._replace(in_redis=True))).claim == Granted()


COPY = CacheRequest("key", "route", ("tag",), "token", 1000, 1.0)
COPY_KEY = "tidegate:{route}:k:key"
STAMPS_KEY = "tidegate:{route}:t"


@pytest.mark.parametrize("odd", [*TYPES, "x"])
def test_a_copys_key_of_another_type_is_replaced_by_the_lease(rig, place_db, odd):
    put(place_db, COPY_KEY, odd)
    assert rig.store.admit(Question("subject", cache=COPY)).cache == CacheLease(None)


@pytest.mark.parametrize("field", ["fresh", "stale", "error", "born", "made", "delta", "until", "granted", "resting"])
@pytest.mark.parametrize("odd", ["x", "nan", "inf", "-1", "1e400"])
def test_a_copys_odd_number_keeps_nobody_from_an_answer(rig, place_db, field, odd):
    numbers = dict.fromkeys(["fresh", "stale", "error", "born", "made", "delta", "until", "granted"], "9" * 15)
    place_db.hset(COPY_KEY, mapping={"record": "x", "lease": "another", **numbers, field: odd})
    assert rig.store.admit(Question("subject", cache=COPY)).cache is not None


@pytest.mark.parametrize("odd", TYPES)
def test_stamps_that_are_no_hash_void_what_bears_them(rig, place_db, odd):
    rig.store.admit(Question("subject", cache=COPY))
    place_db.delete(STAMPS_KEY)
    put(place_db, STAMPS_KEY, odd)
    assert rig.store.admit(Question("subject", cache=COPY._replace(token="other"))).cache is not None


@pytest.mark.parametrize(
    "odd", ["x", "", "1", "1:", ":1", "nan:nan", "-1:99999999999999", "1e400:1e400", "1:" + "9" * 20]
)
def test_a_tags_stamp_that_is_none_voids_what_bears_it(rig, place_db, odd):
    for token in ("first", "second"):
        rig.store.admit(Question("subject", cache=COPY._replace(token=token)))
        settled = CacheWrite(COPY._replace(token=token), b"answer", COPY.tags, Windows(60_000))
        assert rig.store.settle(Settlement("subject", None, None, fenced=False, cache=settled))
        assert isinstance(rig.store.admit(Question("subject", cache=COPY)).cache, CacheHit)
        assert place_db.hset(STAMPS_KEY, COPY.tags[0], odd) == 0
        assert isinstance(rig.store.admit(Question("subject", cache=COPY)).cache, CacheLease)
        place_db.hdel(COPY_KEY, "lease")


def test_a_key_of_a_wrong_type_opens_no_breaker_for_other_principals(place, place_db, closing_store):
    """Whatever a script can't mend is its question's own fault."""
    clock = SystemClock()
    tracked = CircuitBreakerStore(closing_store, Breaker(clock), clock)
    question = Question("subject", (charges()["bucket"],))
    tracked.ask(lambda store: store.admit(question))
    with pytest.raises(StoreUnavailableError) as raised:
        tracked.ask(lambda store: store.settle(Settlement("subject", CLAIM, b"answer", fenced=True)))
    assert raised.value.kind == "unreadable"
    assert tracked.trusted
    assert tracked.ask(lambda store: store.admit(question)).store == "redis"


@pytest.fixture
def closing_store(place, place_db) -> RedisStore:
    store = place.open()
    put(place_db, CLAIM_KEY, "list")
    yield store
    store.close()


def test_a_value_that_no_key_can_have_opens_no_breaker(rig):
    clock = SystemClock()
    tracked = CircuitBreakerStore(rig.store, Breaker(clock), clock)
    rig.store.admit(Question("else"))
    odd = Question("\ud800", (Charge("a", charges()["bucket"].rule),))
    with pytest.raises(UnicodeEncodeError):
        tracked.ask(lambda store: store.admit(odd))
    for cost in (float("nan"), float("inf"), "x", None, [1]):
        one = Charge("a", charges()["bucket"].rule, cost)
        with suppress(Exception):  # whether it is refused or raises is all the same to the others
            tracked.ask(lambda store, one=one: store.admit(Question("s", (one,))))
        assert tracked.trusted
    assert tracked.ask(lambda store: store.admit(Question("s", (charges()["bucket"],)))).store == "redis"

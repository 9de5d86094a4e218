"""Copies and leases inside the one question, on one node and on clusters."""

import threading

import pytest

from tests.contract.places import close_client
from tidegate.cache_messages import (
    CacheBusy,
    CacheHit,
    CacheLease,
    CachePass,
    CacheRequest,
    CacheStale,
    CacheWrite,
    Refusal,
    Windows,
)
from tidegate.limits.token_bucket import Bucket
from tidegate.messages import Charge, Question, Settlement
from tidegate.stores.redis.cache import CopyWaiter, void_calls

RUNS_ON = ["redis", "redis-cluster", "redis-sharded", "valkey", "redis-py", "redis-py-cluster", "fakeredis"]

WINDOWS = Windows(60_000, 60_000, 60_000)
SINGLE = Charge("one", Bucket(3_600_000_000, burst=1))


@pytest.fixture
def route(new_subject) -> str:
    return new_subject()


def asked_by(route: str, token: str, *tags: str, drawn: float = 0.0) -> CacheRequest:
    return CacheRequest("key", route, tags, token, 30_000, drawn)


def ask(rig, request: CacheRequest, *charges: Charge, subject: str = "caller"):
    return rig.store.admit(Question(subject, charges, cache=request))


def settle(rig, request: CacheRequest, record: bytes | None = b"answer", tags=(), **more) -> bool:
    write = CacheWrite(request, record, tags, more.pop("windows", WINDOWS), **more)
    return rig.store.settle(Settlement("caller", None, None, fenced=False, cache=write))


def void(rig, route: str, *tags: str) -> None:
    rig.store.evaluate(void_calls([route], tags, cluster=True))


def test_one_computes_and_the_others_get_what_he_made(rig, route):
    first = asked_by(route, "first")
    assert ask(rig, first).cache == CacheLease(None)
    assert ask(rig, asked_by(route, "second")).cache == CacheBusy("first", None)
    assert ask(rig, first).cache == CacheLease(None), "asking again, after a lost reply"
    assert settle(rig, first, delta_ms=7)
    hit = ask(rig, asked_by(route, "third")).cache
    assert isinstance(hit, CacheHit)
    assert (hit.copy.record, hit.copy.delta_ms) == (b"answer", 7)
    assert 0 < hit.copy.fresh_ms <= 60_000


def test_a_request_that_a_limit_refuses_takes_no_lease_and_gets_no_copy(rig, route, new_subject):
    caller = new_subject()
    rig.store.admit(Question(caller, (SINGLE,)))
    refused = ask(rig, asked_by(route, "first"), SINGLE, subject=caller)
    assert (refused.admitted, refused.cache) == (False, None)
    assert ask(rig, asked_by(route, "second")).cache == CacheLease(None)


def test_a_hit_is_charged(rig, route, new_subject):
    caller, wide = new_subject(), Charge("wide", Bucket(3_600_000_000, burst=5))
    first = asked_by(route, "first")
    assert ask(rig, first, wide, subject=caller).limits[0].remaining == 4
    settle(rig, first)
    answer = ask(rig, asked_by(route, "second"), wide, subject=caller)
    assert isinstance(answer.cache, CacheHit)
    assert answer.limits[0].remaining == 3


def test_a_late_writer_cannot_store_what_was_deleted(rig, route):
    first, second = asked_by(route, "first", "t"), asked_by(route, "second", "t")
    assert isinstance(ask(rig, first).cache, CacheLease)
    void(rig, route, "t")
    assert isinstance(ask(rig, second).cache, CacheLease), "he waits for nobody from before the deletion"
    assert not settle(rig, first, b"old", ("t",))
    assert settle(rig, second, b"new", ("t",))
    assert ask(rig, asked_by(route, "third")).cache.copy.record == b"new"


def test_nor_under_a_tag_that_only_the_handler_knew(rig, route):
    first = asked_by(route, "first")
    ask(rig, first)
    void(rig, route, "late")
    assert not settle(rig, first, b"old", ("late",))
    assert isinstance(ask(rig, asked_by(route, "second")).cache, CacheLease)


def test_a_deletion_voids_every_copy_with_the_tag_and_no_other(rig, route):
    for key, tags in (("a", ("t1",)), ("b", ("t1", "t2")), ("c", ("t2",))):
        request = CacheRequest(key, route, tags, f"by-{key}", 30_000)
        ask(rig, request)
        assert settle(rig, request, tags=tags)
    void(rig, route, "t1")
    found = [ask(rig, CacheRequest(key, route, (), "later", 30_000)).cache for key in "abc"]
    assert [type(answer) for answer in found] == [CacheLease, CacheLease, CacheHit]


def test_a_copy_may_have_very_many_tags(rig, route):
    tags = tuple(f"t{n}" for n in range(1200))
    first = asked_by(route, "first")
    ask(rig, first)
    assert settle(rig, first, tags=tags)
    assert isinstance(ask(rig, asked_by(route, "second")).cache, CacheHit)
    void(rig, route, tags[-1])
    assert isinstance(ask(rig, asked_by(route, "third")).cache, CacheLease)


def test_a_copy_whose_tag_has_lost_its_stamp_is_void(rig, route, place):
    request = asked_by(route, "first", "t")
    ask(rig, request)
    settle(rig, request, tags=("t",))
    rig.store._transport.send([("HDEL", f"tidegate:{{{route}}}:t", "t")])
    assert isinstance(ask(rig, asked_by(route, "second")).cache, CacheLease)


def test_whoever_lost_the_lease_writes_nothing(rig, route):
    first = asked_by(route, "first")._replace(hold_ms=1)
    ask(rig, first)
    second = asked_by(route, "second")
    while not isinstance(ask(rig, second).cache, CacheLease):
        pass
    assert not settle(rig, first)
    assert settle(rig, second)


def test_an_early_renewal_is_one_and_the_others_still_hit(rig, route):
    first = asked_by(route, "first")
    ask(rig, first)
    settle(rig, first, delta_ms=60_000)
    early = ask(rig, asked_by(route, "second", drawn=1.5)).cache
    assert isinstance(early, CacheLease)
    assert early.copy.record == b"answer"
    assert isinstance(ask(rig, asked_by(route, "third", drawn=1.5)).cache, CacheHit)


def test_stale_ones_are_given_while_one_renews_and_while_a_failure_rests(rig, route):
    first = asked_by(route, "first")
    ask(rig, first)
    settle(rig, first, windows=Windows(1, 60_000, 60_000))
    second = asked_by(route, "second", drawn=20)
    while not isinstance(ask(rig, second).cache, CacheLease):
        pass
    stale = ask(rig, asked_by(route, "third")).cache
    assert isinstance(stale, CacheStale)
    assert stale.copy.fresh_ms <= 0
    assert settle(rig, second, None, rest_ms=60_000)
    assert isinstance(ask(rig, asked_by(route, "fourth")).cache, CacheStale)


def test_who_waits_is_woken_by_the_end_of_the_lease_and_misses_none(rig, route, place):
    target = place.target()
    waiter = CopyWaiter(target)
    if target.client is not None:
        rig.closing.callback(close_client, target.client)
    rig.closing.callback(waiter.close)
    first, second = asked_by(route, "first"), asked_by(route, "second")
    ask(rig, first)
    assert ask(rig, second).cache == CacheBusy("first", None)
    woken: list[bool] = []
    waiting = threading.Thread(target=lambda: woken.append(waiter.wait(second, "first", 20_000)))
    waiting.start()
    settle(rig, first)
    waiting.join(30)
    assert woken == [True]
    assert waiter.wait(second, "first", 20_000), "it was over before he began to wait"
    assert not waiter.wait(second, "never", 1)


def test_a_copy_that_is_not_taken_leaves_the_rest_of_its_settlement_done(rig, route, new_subject):
    """Whatever Redis has against it: it fails here in the script itself, as it would for want of memory."""
    caller, first, refusal = new_subject(), asked_by(route, "first"), Refusal()
    ask(rig, first, SINGLE, subject=caller)
    write = CacheWrite(first, b"answer", (), Windows("never"), refusal=refusal)
    back = (SINGLE._replace(cost=-1),)
    assert not rig.store.settle(Settlement(caller, None, None, fenced=False, corrections=back, cache=write))
    assert refusal.reason == "not-taken"
    assert rig.store.admit(Question(caller, (SINGLE,))).admitted, "the charge was given back"


def test_nobody_waits_for_what_was_for_one_alone(rig, route):
    first = asked_by(route, "first")
    ask(rig, first)
    assert settle(rig, first, None, pass_ms=60_000)
    second = asked_by(route, "second")
    assert ask(rig, second).cache == CacheLease(None, passing=True)
    assert ask(rig, asked_by(route, "third")).cache == CachePass(None)
    assert settle(rig, second), "it may be kept after all"
    assert isinstance(ask(rig, asked_by(route, "fourth")).cache, CacheHit)


def test_what_copies_take_is_accounted_to_who_made_them(rig, route):
    first = asked_by(route, "first")
    ask(rig, first)
    full, refusal = Windows(60_000), Refusal()
    rig.store._copies = (0, 2**30)
    assert not settle(rig, first, b"answer", windows=full, payer="ann", refusal=refusal)
    assert refusal.reason == "caller-full"
    rig.store._copies = (2**30, 0)
    ask(rig, asked_by(route, "second"))
    assert not settle(rig, asked_by(route, "second"), b"answer", windows=full, payer="ann", refusal=refusal)
    assert refusal.reason == "full"


def test_every_key_ends_by_itself(rig, route, place):
    first, second = asked_by(route, "first", "t"), asked_by(route, "second")
    ask(rig, first)
    ask(rig, second)
    settle(rig, first, tags=("t", "late"))
    void(rig, route, "late", "never")
    names = ["k:key", "k:key:w:first", "t", *(["b:of"] if place.target().cluster else [])]
    lasts_ms = rig.store._transport.send([("PTTL", f"tidegate:{{{route}}}:{name}") for name in names])
    assert all(0 < ms <= 3_600_000 for ms in lasts_ms), dict(zip(names, lasts_ms, strict=True))
    assert lasts_ms[2] > lasts_ms[0], "a stamp outlives the copies that depend on it"

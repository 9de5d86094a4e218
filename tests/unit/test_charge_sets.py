"""What requests are charged alike, what the answer's verdict says beside yes and no, and reading without a charge."""

from __future__ import annotations

import pytest

from tidegate import (
    Caller,
    Concurrency,
    LeakyBucket,
    Policy,
    ProblemError,
    Quota,
    Settings,
    SlidingWindow,
    Tiers,
    TokenBucket,
)
from tidegate.compose import compose
from tidegate.decision import NEVER, LimitState
from tidegate.limits.charges import (
    NOTHING_CHARGED,
    ChargeContext,
    ChargeSet,
    LimitCharges,
    LimitVerdict,
    charge_set,
    subject,
)
from tidegate.limits.limit import Limit
from tidegate.limits.peek import Left, peek
from tidegate.limits.slots import renewed_every_s
from tidegate.messages import Answer, Charge, Question
from tidegate.routing import RoutePolicy

NOW_US = 1_800_000_000_000_000
ALICE = Caller("key:alice")
BUCKET, SHADOW = TokenBucket("10/s"), TokenBucket("1/s", shadow=True)


def charged(*limits: Limit, caller: Caller = ALICE, route: str = "/a") -> ChargeSet:
    return charge_set(RoutePolicy(route, "GET", Policy(limits=limits)), ChargeContext(caller, {}, NOW_US), "test")


def verdict(*states: LimitState, limits: tuple[Limit, ...], admitted: bool = True) -> tuple[LimitVerdict, LimitCharges]:
    charges = LimitCharges(charged(*limits))
    return charges.read(Answer(admitted, states, None, "redis"), NOW_US), charges


def stands(*, allowed: bool = True, wait_us: int = 0, retry_after_us: int = 0) -> LimitState:
    return LimitState(allowed, 1, retry_after_us, wait_us=wait_us)


def test_requests_that_differ_in_nothing_share_one_object():
    route = RoutePolicy("/a", "GET", Policy(limits=(BUCKET, SHADOW)))
    sets = [charge_set(route, ChargeContext(Caller(who), {}, at), "test") for who, at in (("key:a", 1), ("key:b", 2))]
    assert sets[0] is sets[1]
    assert sets[0] == charged(BUCKET, SHADOW)
    assert charged(BUCKET, caller=Caller("key:bob", organisation="acme")).charges != charged(BUCKET).charges


def test_a_slots_holder_and_a_quotas_period_are_each_requests_own():
    slots, quota = (RoutePolicy("/a", "GET", Policy(limits=(limit,))) for limit in (Concurrency(2), Quota("1/day")))
    holders = {charge_set(slots, ChargeContext(ALICE, {}, NOW_US), "test").charges[0].holder for _ in range(2)}
    assert len(holders - {""}) == 2
    later_us = NOW_US + 86_400_000_000
    today, tomorrow = (charge_set(quota, ChargeContext(ALICE, {}, at), "test").charges[0] for at in (NOW_US, later_us))
    assert tomorrow.rule.start_us == today.rule.end_us
    assert (today.key, today.holder) == (tomorrow.key, "")


def test_who_is_exempt_is_charged_nothing():
    assert charged(BUCKET, caller=Caller("key:alice", exempt=True)) == ChargeSet()
    assert ChargeSet() == ((), (), b"", False, False, None)


@pytest.mark.parametrize(
    ("limits", "reports", "holds", "policy"),
    [
        ((BUCKET,), False, False, b'"10/s";q=10;w=1'),
        ((BUCKET, SHADOW), True, False, b'"10/s";q=10;w=1'),
        ((SHADOW,), True, False, b""),
        ((Concurrency(2),), False, True, b'"2-at-once";q=2;qu="concurrent-requests"'),
        ((), False, False, b""),
    ],
)
def test_a_set_says_whether_some_only_report_or_hold(limits, reports, holds, policy):
    found = charged(*limits)
    assert (found.reports, found.holds, found.policy, found.refusal) == (reports, holds, policy, None)


@pytest.mark.parametrize(
    "caller", [ALICE, Caller("key:alice", organisation="acme"), Caller("ip:192.0.2.1"), Caller("ip:192.0.2.1", "acme")]
)
def test_names_in_stores_have_one_length(caller):
    assert len(subject("test", caller)) == 12
    for limit in (BUCKET, TokenBucket("1/s", name="n", shared=True), TokenBucket("1/s", per="route")):
        [charge] = charged(limit, caller=caller).charges
        assert len(charge.key) == 8
        assert len(charge.subject) == (12 if limit.per == "route" else 0)


def test_a_shared_limit_is_another_than_a_routes_own_of_its_name():
    own, shared = TokenBucket("1/s", name="n"), TokenBucket("1/s", name="n", shared=True)
    other = TokenBucket("1/s", name="m", shared=True)
    assert len({charged(limit).charges[0].key for limit in (own, shared, other)}) == 3
    per_route, both = TokenBucket("1/s", name="n", per="route"), TokenBucket("1/s", name="n", per="route", shared=True)
    [[mine], [ours], [theirs]] = (
        charged(limit, route=route).charges for limit, route in ((per_route, "/a"), (both, "/a"), (both, "/b"))
    )
    assert mine.subject != ours.subject == theirs.subject


def test_a_window_whose_length_a_function_chooses_is_one_a_length():
    lengths = iter(["9/s", "9/min", "5/s"])
    chosen = SlidingWindow(lambda _: next(lengths))
    second, minute, again = (charged(chosen).charges[0] for _ in range(3))
    assert second.key == again.key != minute.key
    assert [c.rule.window_ms for c in (second, minute, again)] == [1000, 60_000, 1000]


def test_a_tiers_window_and_a_functions_bucket_stay_where_they_are():
    table = SlidingWindow(Tiers({"free": "1/s", "pro": "9/s"}, default="free"))
    free, pro = (charged(table, caller=ALICE._replace(tier=tier)).charges[0] for tier in ("free", "pro"))
    assert free.key == pro.key
    assert (free.rule.quota, pro.rule.quota) == (1, 9)
    rates = iter(["1/s", "9/min"])
    bucket = TokenBucket(lambda _: next(rates))
    assert charged(bucket).charges[0].key == charged(bucket).charges[0].key


def fails(_) -> int:
    raise ProblemError(418, "teapot", "Teapot")


@pytest.mark.parametrize(("shadow", "cost", "status"), [(False, 1, 418), (True, 0, None)])
def test_a_cost_that_isnt_known_is_looked_at_as_one_and_a_shadows_as_none(shadow, cost, status):
    found = charged(BUCKET, TokenBucket("9/s", cost=fails, shadow=shadow))
    assert found.charges[1].cost == cost
    assert (found.refusal and found.refusal.status) == status


def test_of_several_refusals_the_first_counts():
    def other(_) -> int:
        raise ProblemError(410, "gone", "Gone")

    found = charged(TokenBucket("9/s", cost=fails), TokenBucket("8/s", cost=other), BUCKET)
    assert found.refusal is not None
    assert found.refusal.status == 418


def test_a_cost_of_nothing_is_a_cost():
    assert charged(TokenBucket("9/s", cost=lambda _: 0)).charges[0].cost == 0
    assert charged(TokenBucket("9/s", cost=lambda _: -1)).refusal.status == 500
    assert charged(TokenBucket("9/s", cost=lambda _: 2**60)).charges[0].cost == 2**48
    assert charged(TokenBucket("9/s", cost=lambda _: True)).refusal.status == 500


def test_an_admitted_request_waits_for_the_latest_start_of_those_that_bind():
    limits = (LeakyBucket("9/s"), LeakyBucket("1/s"), LeakyBucket("5/s", shadow=True))
    said, charges = verdict(stands(wait_us=5), stands(wait_us=9), stands(wait_us=70), limits=limits)
    assert (said.refusal, said.shadowed, said.passes_in_us, charges.wait_us) == (None, (), None, 9)
    _, alone = verdict(stands(wait_us=70), limits=(LeakyBucket("5/s", shadow=True),))
    assert alone.wait_us == 0


def test_shadows_that_would_have_refused_are_named_and_nobody_else():
    limits = (BUCKET, SHADOW, TokenBucket("2/s", shadow=True))
    said, _ = verdict(stands(), stands(allowed=False), stands(), limits=limits)
    assert (said.refusal, said.shadowed) == (None, ("1/s",))
    assert b'"1/s"' not in dict(said.fields)[b"ratelimit"]


@pytest.mark.parametrize(
    ("waits_us", "passes_us"),
    [((5_000_000, 0), 5_000_000), ((5_000_000, 7_000_000), 7_000_000), ((NEVER, 5), None), ((0, 3_000_000), 3_000_000)],
)
def test_a_refused_request_passes_when_the_last_that_refuses_admits(waits_us, passes_us):
    states = tuple(stands(allowed=us == 0, retry_after_us=us) for us in waits_us)
    said, charges = verdict(*states, limits=(BUCKET, TokenBucket("1/s")), admitted=False)
    assert said.passes_in_us == passes_us
    assert charges.unsettled is False


def test_a_slot_is_waited_for_a_second_at_most():
    said, _ = verdict(stands(allowed=False, retry_after_us=30_000_000), limits=(Concurrency(1),), admitted=False)
    assert said.passes_in_us == 1_000_000
    said, _ = verdict(stands(allowed=False, retry_after_us=300), limits=(Concurrency(1),), admitted=False)
    assert said.passes_in_us == 300


def test_before_an_answer_nothing_is_charged_or_waited_for():
    charges = LimitCharges(charged(BUCKET))
    assert (charges.unsettled, charges.wait_us, charges.take_corrections({None: 5})) == (False, 0, ())
    assert NOTHING_CHARGED.unsettled is False


def test_what_is_given_back_is_taken_from_where_the_store_charged_it():
    states = tuple(LimitState(True, 1, 0, counts=(at, at, NOW_US)) for at in (7, 8))
    _, charges = verdict(*states, limits=(SlidingWindow("9/s", cost=4), Quota("9/day", cost=2)))
    back = charges.take_corrections({None: 1})
    assert [(c.cost, c.known_counts) for c in back] == [(-3, (7, 7, NOW_US)), (-1, (8, 8, NOW_US))]


@pytest.mark.anyio
async def test_a_look_tells_what_is_left_when_and_whether_ever():
    environment = compose(Settings(memory_only=True))

    class Routes:
        def find(self, scope: dict) -> RoutePolicy:
            assert (scope["type"], scope["method"], scope["path"]) == ("http", "GET", "/a")
            return RoutePolicy("/a", "GET", Policy(limits=limits))

    limits: tuple[Limit, ...] = (TokenBucket("1/h", burst=3, cost=2), TokenBucket("1/h", cost=2, name="never"))
    looked = [await peek(environment, Routes(), "key:alice", "GET", "/a") for _ in range(2)]
    assert looked[0] == looked[1] == (Left("1/h", 3, True, 0.0), Left("never", 1, False, None))
    limits = (TokenBucket("1/h", burst=3, cost=2),)
    asked = charge_set(
        RoutePolicy("/a", "GET", Policy(limits=limits)), ChargeContext(ALICE, {}, 0), environment.settings.namespace
    )
    environment.stores.admit(Question(subject(environment.settings.namespace, ALICE), asked.charges, None))
    [left] = await peek(environment, Routes(), ALICE, "GET", "/a")
    assert (left.remaining, left.allowed) == (1, False)
    assert 3599 < left.retry_after_s <= 3600
    limits = ()
    assert await peek(environment, Routes(), "key:alice", "GET", "/a") == ()


def test_leases_are_renewed_thrice_within_the_shortest():
    held = [Charge("s", Concurrency(2, lease=lease).leased) for lease in ("30s", "6s", "9s")]
    assert renewed_every_s([*held, Charge("b", BUCKET.bucket)]) == 2.0

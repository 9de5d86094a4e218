"""The ladder Redis → DynamoDB → memory: what each change of store may cost, and that nothing else happens."""

import pytest

from tests.unit.ladder import Ladder
from tidegate import StoreUnavailableError
from tidegate.algorithms.token_bucket import NEVER, Bucket
from tidegate.question import Charge, ClaimRequest, Question, Settlement
from tidegate.stores.failover import FailoverStore
from tidegate.stores.memory import MemoryStore
from tidegate.testing import FakeClock

BUCKET = Bucket(interval_us=1_000_000, burst=10)
LONGEST_PAUSE_S = 1.0


def question(cost: int = 1, on_outage: str = "share", subject: str = "subject") -> Question:
    return Question(subject, (Charge("limit", BUCKET, cost),), on_outage=on_outage)


@pytest.fixture
def ladder() -> Ladder:
    return Ladder()


def spend(ladder: Ladder, most: int = 1000, on_outage: str = "share") -> int:
    """Ask until refused; return how many were admitted."""
    admitted = 0
    while admitted < most and ladder.store.admit(question(on_outage=on_outage)).admitted:
        admitted += 1
    return admitted


def test_the_preferred_store_decides_while_it_is_well(ladder):
    assert ladder.store.admit(question()).store == "redis"
    assert ladder.dynamodb.asked == 0
    assert ladder.store.current == "redis"


def test_dynamodb_decides_when_redis_fails_and_memory_when_both_do(ladder):
    ladder.redis.fault = "timeout"
    assert ladder.store.admit(question()).store == "dynamodb"
    ladder.dynamodb.fault = "throttled"
    assert ladder.store.admit(question()).store == "memory"
    assert ladder.store.current == "memory"


def test_redis_decides_again_within_a_second_of_its_return(ladder):
    ladder.redis.fault = "refused"
    for _ in range(20):
        ladder.store.admit(question())
        ladder.clock.advance(1)
    ladder.redis.fault = None
    ladder.clock.advance(LONGEST_PAUSE_S)
    assert ladder.store.admit(question()).store == "redis"


def test_a_long_outage_costs_few_probes(ladder):
    ladder.redis.fault = "timeout"
    for _ in range(1000):
        ladder.store.admit(question())
        ladder.clock.advance(0.01)
    assert ladder.redis.asked <= 16


def test_a_change_of_store_gives_nothing_back(ladder):
    assert ladder.store.admit(question(cost=10)).admitted
    ladder.redis.fault = "reset"
    assert spend(ladder) == 0
    ladder.clock.advance(3)
    assert spend(ladder) == 3


def test_what_is_carried_along_takes_nothing_away(ladder):
    """With what the fallback begins, its own clock says: see tests/contract/test_dynamodb_ladder.py."""
    assert ladder.store.admit(question(cost=4)).admitted
    ladder.redis.fault = "reset"
    assert spend(ladder) == 6


def test_a_store_that_loses_its_data_unnoticed_gives_nothing_back(ladder):
    assert spend(ladder) == 10
    ladder.redis.come_back_empty()
    assert spend(ladder) == 0


def test_the_way_back_gives_nobody_a_full_bucket(ladder):
    spend(ladder)
    ladder.redis.fault = "reset"
    spend(ladder)
    ladder.clock.advance(4)
    assert spend(ladder) == 4
    ladder.redis.come_back_empty()
    ladder.clock.advance(LONGEST_PAUSE_S)
    assert spend(ladder) == 1


@pytest.mark.parametrize("on_outage", ["share", "reject"])
def test_a_store_that_comes_back_empty_gives_no_full_bucket_even_if_nobody_was_admitted_meanwhile(ladder, on_outage):
    assert spend(ladder, on_outage=on_outage) == 10
    ladder.redis.fault = ladder.dynamodb.fault = "refused"
    assert not ladder.store.admit(question(on_outage=on_outage)).admitted
    ladder.redis.come_back_empty()
    ladder.clock.advance(LONGEST_PAUSE_S)
    assert spend(ladder, on_outage=on_outage) == 1


@pytest.mark.parametrize("busy", [False, True], ids=["alone", "beside a busy caller"])
@pytest.mark.parametrize("period_s", [0.3, 0.5, 1.0, 2.0])
def test_a_store_that_comes_and_goes_starves_nobody(ladder, period_s, busy):
    other = Question("other", (Charge("limit", Bucket(interval_us=1000, burst=1000)),))
    admitted, seconds = 0, 120
    for tenth in range(10 * seconds):
        ladder.redis.fault = "timeout" if int(tenth / 10 / period_s) % 2 else None
        admitted += ladder.store.admit(question()).admitted
        if busy:
            ladder.store.admit(other)
        ladder.clock.advance(0.1)
    # One token a second comes back: a change may cost the burst, but not what refills.
    assert 0.8 * seconds <= admitted <= seconds + BUCKET.burst


def test_a_long_idle_environment_finds_the_burst_again_after_a_change(ladder):
    spend(ladder)
    ladder.redis.fault = "timeout"
    ladder.clock.advance(60)
    assert spend(ladder) == 10


def test_a_decision_whose_answer_was_lost_may_cost_tokens_but_never_gives_any(ladder):
    ladder.redis.loses_answers = True
    assert ladder.store.admit(question()).store == "dynamodb"
    ladder.redis.loses_answers = False
    ladder.clock.advance(LONGEST_PAUSE_S)
    assert spend(ladder) <= 10


@pytest.fixture
def outage(ladder: Ladder) -> Ladder:
    """Four live environments were counted, then both shared stores failed."""
    ladder.redis.environments = 4
    ladder.store.admit(question(subject="someone else"))
    ladder.redis.fault = ladder.dynamodb.fault = "refused"
    return ladder


def test_in_an_outage_an_environment_admits_its_share_of_the_fleets_rate(outage):
    spend(outage)
    outage.clock.advance(8)
    assert spend(outage) == 2


def test_in_an_outage_nobody_begins_with_a_burst_and_who_is_idle_gathers_its_share_of_it(outage):
    assert spend(outage) == 0
    outage.clock.advance(3600)
    assert spend(outage) == 10 // 4


def test_in_an_outage_a_request_dearer_than_the_share_of_the_burst_isnt_refused_for_good(outage):
    refused = outage.store.admit(question(cost=5))
    assert not refused.admitted
    outage.clock.advance(refused.limits[0].retry_after_us / 1_000_000)
    assert outage.store.admit(question(cost=5)).admitted


def test_in_an_outage_a_cost_above_the_whole_burst_is_still_refused_for_good(outage):
    outage.clock.advance(3600)
    assert outage.store.admit(question(cost=11)).limits[0].retry_after_us == NEVER


def test_in_an_outage_a_route_may_choose_to_admit_everything(outage):
    answers = [outage.store.admit(question(on_outage="allow")) for _ in range(100)]
    assert all(answer.admitted and answer.store == "none" and answer.limits == () for answer in answers)


def test_in_an_outage_a_route_may_choose_to_refuse(outage):
    answer = outage.store.admit(question(on_outage="reject"))
    assert (answer.admitted, answer.store, answer.limits) == (False, "none", ())


def test_what_was_let_through_without_limits_doesnt_change_them(outage):
    outage.clock.advance(3600)
    for _ in range(100):
        outage.store.admit(question(on_outage="allow"))
    outage.redis.fault = None
    outage.clock.advance(LONGEST_PAUSE_S)
    assert spend(outage) == 10


@pytest.mark.parametrize("environments", [4, 30, 1000])
def test_after_an_outage_nobody_waits_longer_than_an_empty_bucket_makes_him(ladder, environments):
    ladder.redis.environments = environments
    ladder.store.admit(question(subject="someone else"))
    ladder.redis.fault = ladder.dynamodb.fault = "refused"
    ladder.store.admit(question())
    ladder.redis.come_back_empty()
    ladder.clock.advance(LONGEST_PAUSE_S)
    assert spend(ladder) >= 1


def settlement() -> Settlement:
    claim = ClaimRequest("id", "print", "attempt", hold_ms=1000, lifetime_ms=60_000)
    return Settlement("subject", claim, b"answer", fenced=False)


def test_a_settlement_goes_to_the_preferred_store(ladder):
    assert ladder.store.settle(settlement())
    assert ladder.redis.settled == [settlement()]
    assert ladder.dynamodb.settled == []


def test_a_settlement_while_the_preferred_store_fails_says_so_and_opens_its_breaker(ladder):
    ladder.redis.fault = "timeout"
    with pytest.raises(StoreUnavailableError):
        ladder.store.settle(settlement())
    assert ladder.store.admit(question()).store == "dynamodb"
    assert ladder.redis.asked == 1


def test_connecting_stops_at_the_first_store_that_answers(ladder):
    ladder.store.connect(patience_s=1)
    assert (ladder.redis.asked, ladder.dynamodb.asked) == (1, 0)


def test_connecting_finds_the_fallback_before_the_first_decision_needs_it(ladder):
    ladder.redis.fault = "refused"
    ladder.store.connect(patience_s=1)
    assert [state.state for state in ladder.store.states] == ["failing", "ready"]
    assert ladder.store.admit(question()).store == "dynamodb"
    assert ladder.redis.asked == 1


def test_a_check_asks_every_store_and_never_raises(ladder):
    ladder.redis.fault = "timeout"
    ladder.store.check(patience_s=1)
    assert [state.state for state in ladder.store.states] == ["failing", "ready"]


def test_a_check_finds_a_store_that_is_back_before_its_breaker_would(ladder):
    ladder.redis.fault = "timeout"
    ladder.store.admit(question())
    ladder.redis.fault = None
    ladder.store.check(patience_s=1)
    assert ladder.store.admit(question()).store == "redis"


def test_without_shared_stores_memory_has_the_whole_limit():
    clock = FakeClock()
    store = FailoverStore([], MemoryStore(clock), clock)
    answers = [store.admit(question(on_outage="reject")) for _ in range(11)]
    assert [answer.admitted for answer in answers] == [True] * 10 + [False]
    assert {answer.store for answer in answers} == {"memory"}

"""The failover chain Redis → DynamoDB → memory: what each change of store may cost, and that nothing else happens."""

import io

import pytest

from tests.unit.failover_chain import FailoverChain
from tidegate import StoreUnavailableError
from tidegate.failover.store import FailoverStore
from tidegate.limits.token_bucket import NEVER, Bucket
from tidegate.messages import Charge, ClaimRequest, Question, Settlement
from tidegate.stores.memory import MemoryStore
from tidegate.telemetry import structured_logger
from tidegate.testing import FakeClock

BUCKET = Bucket(interval_us=1_000_000, burst=10)
LONGEST_PAUSE_S = 1.0


def question(cost: int = 1, on_outage: str = "share", subject: str = "subject") -> Question:
    return Question(subject, (Charge("limit", BUCKET, cost),), on_outage=on_outage)


@pytest.fixture
def chain() -> FailoverChain:
    return FailoverChain()


def spend(chain: FailoverChain, most: int = 1000, on_outage: str = "share") -> int:
    """Ask until refused; return how many were admitted."""
    admitted = 0
    while admitted < most and chain.store.admit(question(on_outage=on_outage)).admitted:
        admitted += 1
    return admitted


def test_the_preferred_store_decides_while_it_is_well(chain):
    assert chain.store.current == "redis"
    assert chain.store.admit(question()).store == "redis"
    assert chain.dynamodb.asked == 0
    assert chain.store.current == "redis"


def test_dynamodb_decides_when_redis_fails_and_memory_when_both_do(chain):
    chain.redis.fault = "timeout"
    assert chain.store.admit(question()).store == "dynamodb"
    chain.dynamodb.fault = "throttled"
    assert chain.store.admit(question()).store == "memory"
    assert chain.store.current == "memory"


def test_redis_decides_again_within_a_second_of_its_return(chain):
    chain.redis.fault = "refused"
    for _ in range(20):
        chain.store.admit(question())
        chain.clock.advance(1)
    chain.redis.fault = None
    chain.clock.advance(LONGEST_PAUSE_S)
    assert chain.store.admit(question()).store == "redis"


def test_a_long_outage_costs_few_probes(chain):
    chain.redis.fault = "timeout"
    for _ in range(1000):
        chain.store.admit(question())
        chain.clock.advance(0.01)
    assert chain.redis.asked <= 16


def test_a_change_of_store_gives_nothing_back(chain):
    assert chain.store.admit(question(cost=10)).admitted
    chain.redis.fault = "reset"
    assert spend(chain) == 0
    chain.clock.advance(3)
    assert spend(chain) == 3


def test_what_is_carried_along_takes_nothing_away(chain):
    """With what the fallback begins, its own clock says: see tests/contract/test_dynamodb_ladder.py."""
    assert chain.store.admit(question(cost=4)).admitted
    chain.redis.fault = "reset"
    assert spend(chain) == 6


def test_a_store_that_loses_its_data_unnoticed_gives_nothing_back(chain):
    assert spend(chain) == 10
    chain.redis.come_back_empty()
    assert spend(chain) == 0


def test_the_way_back_gives_nobody_a_full_bucket(chain):
    spend(chain)
    chain.redis.fault = "reset"
    spend(chain)
    chain.clock.advance(4)
    assert spend(chain) == 4
    chain.redis.come_back_empty()
    chain.clock.advance(LONGEST_PAUSE_S)
    assert spend(chain) == 1


@pytest.mark.parametrize("on_outage", ["share", "reject"])
def test_a_store_back_empty_gives_no_full_bucket_even_after_no_admission(chain, on_outage):
    assert spend(chain, on_outage=on_outage) == 10
    chain.redis.fault = chain.dynamodb.fault = "refused"
    assert not chain.store.admit(question(on_outage=on_outage)).admitted
    chain.redis.come_back_empty()
    chain.clock.advance(LONGEST_PAUSE_S)
    assert spend(chain, on_outage=on_outage) == 1


@pytest.mark.parametrize("busy", [False, True], ids=["alone", "beside a busy caller"])
@pytest.mark.parametrize("period_s", [0.3, 0.5, 1.0, 2.0])
def test_a_store_that_comes_and_goes_starves_nobody(chain, period_s, busy):
    other = Question("other", (Charge("limit", Bucket(interval_us=1000, burst=1000)),))
    admitted, seconds = 0, 120
    for tenth in range(10 * seconds):
        chain.redis.fault = "timeout" if int(tenth / 10 / period_s) % 2 else None
        admitted += chain.store.admit(question()).admitted
        if busy:
            chain.store.admit(other)
        chain.clock.advance(0.1)
    # One token a second comes back: a change may cost the burst, but not what refills.
    assert 0.8 * seconds <= admitted <= seconds + BUCKET.burst


def test_a_long_idle_environment_finds_the_burst_again_after_a_change(chain):
    spend(chain)
    chain.redis.fault = "timeout"
    chain.clock.advance(60)
    assert spend(chain) == 10


def test_a_decision_whose_answer_was_lost_never_gives_tokens(chain):
    chain.redis.loses_answers = True
    assert chain.store.admit(question()).store == "dynamodb"
    chain.redis.loses_answers = False
    chain.clock.advance(LONGEST_PAUSE_S)
    assert spend(chain) <= 10


@pytest.fixture
def outage(chain: FailoverChain) -> FailoverChain:
    """Four live environments were counted, then both shared stores failed."""
    chain.redis.environments = 4
    chain.store.admit(question(subject="someone else"))
    chain.redis.fault = chain.dynamodb.fault = "refused"
    return chain


def test_in_an_outage_an_environment_admits_its_share_of_the_fleets_rate(outage):
    spend(outage)
    outage.clock.advance(8)
    assert spend(outage) == 2


def test_an_outage_begins_without_bursts_and_idle_subjects_gather_a_share(outage):
    assert spend(outage) == 0
    outage.clock.advance(3600)
    assert spend(outage) == 10 // 4


def test_a_cost_above_the_bursts_share_isnt_refused_for_good_in_an_outage(outage):
    refused = outage.store.admit(question(cost=5))
    assert not refused.admitted
    outage.clock.advance(refused.limits[0].retry_after_us / 1_000_000)
    assert outage.store.admit(question(cost=5)).admitted


def test_a_cost_above_the_whole_burst_is_refused_for_good_in_an_outage(outage):
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
def test_nobody_waits_longer_than_for_an_empty_bucket_after_an_outage(chain, environments):
    chain.redis.environments = environments
    chain.store.admit(question(subject="someone else"))
    chain.redis.fault = chain.dynamodb.fault = "refused"
    chain.store.admit(question())
    chain.redis.come_back_empty()
    chain.clock.advance(LONGEST_PAUSE_S)
    assert spend(chain) >= 1


def settlement() -> Settlement:
    claim = ClaimRequest("id", "print", "attempt", hold_ms=1000, lifetime_ms=60_000)
    return Settlement("subject", claim, b"answer", fenced=False)


def test_a_settlement_goes_to_the_preferred_store(chain):
    assert chain.store.settle(settlement())
    assert chain.redis.settled == [settlement()]
    assert chain.dynamodb.settled == []


def test_a_settlement_at_a_failing_preferred_store_opens_its_breaker(chain):
    chain.redis.fault = "timeout"
    with pytest.raises(StoreUnavailableError):
        chain.store.settle(settlement())
    assert chain.store.admit(question()).store == "dynamodb"
    assert chain.redis.asked == 1


def test_connecting_stops_at_the_first_store_that_answers(chain):
    chain.store.connect(patience_s=1)
    assert (chain.redis.asked, chain.dynamodb.asked) == (1, 0)


def test_connecting_finds_the_fallback_before_the_first_decision_needs_it(chain):
    chain.redis.fault = "refused"
    chain.store.connect(patience_s=1)
    assert [state.state for state in chain.store.states] == ["failing", "ready"]
    assert chain.store.admit(question()).store == "dynamodb"
    assert chain.redis.asked == 1


def test_a_check_asks_every_store_and_never_raises(chain):
    chain.redis.fault = "timeout"
    chain.store.check(patience_s=1)
    assert [state.state for state in chain.store.states] == ["failing", "ready"]


def test_a_check_finds_a_store_that_is_back_before_its_breaker_would(chain):
    chain.redis.fault = "timeout"
    chain.store.admit(question())
    chain.redis.fault = None
    chain.store.check(patience_s=1)
    assert chain.store.admit(question()).store == "redis"


def test_without_shared_stores_memory_has_the_whole_limit():
    clock = FakeClock()
    store = FailoverStore([], MemoryStore(clock), clock)
    answers = [store.admit(question(on_outage="reject")) for _ in range(11)]
    assert [answer.admitted for answer in answers] == [True] * 10 + [False]
    assert {answer.store for answer in answers} == {"memory"}


class TestAQuestionOfItsOwn:
    """Redis is well, but for one question."""

    @pytest.fixture(params=["unreadable", "contended", ZeroDivisionError(), KeyError("bug"), UnicodeError("value")])
    def odd(self, request, chain, monkeypatch):
        """Redis can't be asked for `odd`, whatever the reason."""
        real = chain.redis.admit

        def admit(asked: Question):
            if asked.subject == "odd":
                if isinstance(request.param, Exception):
                    raise request.param
                raise StoreUnavailableError("redis", request.param)
            return real(asked)

        monkeypatch.setattr(chain.redis, "admit", admit)
        return chain

    def test_it_goes_down_the_ladder_alone(self, odd):
        for _ in range(3):
            assert odd.store.admit(question(subject="odd")).store == "dynamodb"
            assert odd.store.admit(question()).store == "redis"
        assert [state.breaker for state in odd.store.states] == ["closed", "closed"]
        assert [state.state for state in odd.store.states] == ["ready", "ready"]

    def test_it_is_logged_once_in_a_while(self, odd):
        stream = io.StringIO()
        structured_logger().registered_handler.setStream(stream)
        for _ in range(5):
            odd.store.admit(question(subject="odd"))
        assert stream.getvalue().count("question not answered") == 1
        odd.clock.advance(61)
        odd.store.admit(question(subject="odd"))
        assert stream.getvalue().count("question not answered") == 2

    def test_so_does_a_settlement(self, odd, monkeypatch):
        def settle(_settlement: Settlement) -> bool:
            raise ZeroDivisionError

        monkeypatch.setattr(odd.redis, "settle", settle)
        for _ in range(2):
            with pytest.raises(StoreUnavailableError, match="unreadable"):
                odd.store.settle(Settlement("subject", None, None, fenced=False))
        assert odd.store.admit(question()).store == "redis"


def test_watchers_are_told_of_the_preferred_stores_decisions_alone():
    chain, told = FailoverChain(), []
    store = FailoverStore(
        chain.store._handles, MemoryStore(chain.clock), chain.clock, watchers=[lambda *it: told.append(it)]
    )
    answer = store.admit(question())
    assert told == [(question(), answer)]
    chain.redis.fault = "timeout"
    assert store.admit(question()).store == "dynamodb"
    assert len(told) == 1


def test_without_shared_stores_memory_settles_and_corrects():
    clock = FakeClock()
    store = FailoverStore([], MemoryStore(clock), clock)
    assert store.admit(question(cost=10)).admitted
    back = (question().charges[0]._replace(cost=-3),)
    assert store.settle(Settlement("subject", None, None, fenced=False, corrections=back)) is True
    store.correct("memory", "subject", back)
    assert spend_in(store) == 6


def spend_in(store: FailoverStore) -> int:
    admitted = 0
    while store.admit(question()).admitted:
        admitted += 1
    return admitted


@pytest.mark.parametrize("name", ["redis", "dynamodb", "memory", "none"])
def test_a_correction_goes_to_the_store_that_charged_and_to_no_other(chain, name):
    chain.store.correct(name, "subject", (question().charges[0]._replace(cost=-1),))
    assert [len(store.settled) for store in (chain.redis, chain.dynamodb)] == [name == "redis", name == "dynamodb"]


def test_of_stores_that_are_closed_each_is_closed(chain, monkeypatch):
    closed = []
    for store in (chain.redis, chain.dynamodb):
        monkeypatch.setattr(store, "close", lambda name=store.name: closed.append(name))
    chain.store.close()
    assert closed == ["redis", "dynamodb"]

"""The whole range that limits may be declared in, and costs beyond it: every store reckons as the algorithm does."""

from __future__ import annotations

from datetime import UTC

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.contract.model import LimitsModel
from tidegate import ConfigurationError, LeakyBucket, Quota, SlidingWindow, SlidingWindowCounter, TokenBucket
from tidegate.decision import MOST_UNITS
from tidegate.limits.limit import LARGEST_QUOTA, Limit
from tidegate.limits.quota import period_at
from tidegate.messages import Charge, Question, Settlement
from tidegate.units import LONGEST_US

RUNS_ON = ["memory", "redis", "valkey", "dynamodb"]

# Far above what a test takes: no server's own expiry has a part in it.
STAYS_US = 60_000_000
examples = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def magnitudes(most: int) -> st.SearchStrategy[int]:
    """Whole numbers of every order, and those at the edge."""
    orders = st.integers(0, len(str(most))).flatmap(lambda digits: st.integers(1, min(most, 10**digits)))
    return orders | st.sampled_from([1, most, most - 1])


@st.composite
def limits(draw: st.DrawFn) -> Limit:
    """Any limit that may be declared."""
    count, period_us = draw(magnitudes(10**15 - 1)), draw(magnitudes(LONGEST_US))
    rate = f"{count}/{period_us}us" if draw(st.booleans()) else f"{count}/{max(1, period_us // 1000)}ms"
    made = draw(
        st.sampled_from(
            [
                lambda: TokenBucket(rate, burst=draw(magnitudes(LARGEST_QUOTA))),
                lambda: LeakyBucket(rate, max_wait=f"{draw(magnitudes(10_000_000))}us"),
                lambda: SlidingWindow(rate),
                lambda: SlidingWindowCounter(rate),
                lambda: Quota(f"{count}/{draw(st.sampled_from(['day', 'month']))}"),
            ]
        )
    )
    try:
        return made()
    except ConfigurationError:
        return TokenBucket("1/36500d", burst=1) if draw(st.booleans()) else SlidingWindow("100000000000000/36500d")


@examples
@given(
    limit=limits(),
    steps=st.lists(st.tuples(st.booleans(), st.none() | magnitudes(MOST_UNITS), st.integers(0, 3)), max_size=8),
    min_deficit_us=st.just(0) | magnitudes(LONGEST_US),
)
def test_any_cost_is_decided_alike(clocked, new_subject, limit, steps, min_deficit_us):
    subject, model = new_subject(), LimitsModel()
    rule = limit.rule(clocked.clock.wall_us())
    for corrects, units, quarter in steps:
        now, cost = clocked.clock.wall_us(), max(1, rule.most * quarter // 3) if units is None else units
        charge = Charge("limit", rule, cost, min_deficit_us=min_deficit_us if rule.kind in "bd" else 0)
        if corrects:
            charge = charge._replace(cost=min(cost, LARGEST_QUOTA), min_deficit_us=0)
            clocked.store.settle(Settlement(subject, None, None, fenced=False, corrections=(charge,)))
            model.correct(subject, (charge,), now)
        else:
            question = Question(subject, (charge,))
            answer = clocked.store.admit(question)
            assert (answer.admitted, answer.limits) == model.admit(question, now)
        state = model.states.get((subject, "limit", rule.kind))
        if state is not None and rule.kept_for_us(state, now) < STAYS_US:
            return


@examples
@given(units=st.sampled_from([10**12, LARGEST_QUOTA]), kind=st.sampled_from(["bucket", "leaky"]))
def test_no_cost_that_a_handler_says_closes_a_limit_for_years(clocked, new_subject, units, kind):
    subject = new_subject()
    # Ten days deep: a debt begins where the bucket is empty.
    rule = TokenBucket("1/s", burst=864_000).bucket if kind == "bucket" else LeakyBucket("1/s").rule(0)
    charge = Charge("limit", rule, units)
    clocked.store.settle(Settlement(subject, None, None, fenced=False, corrections=(charge,)))
    [state] = clocked.store.admit(Question(subject, (charge._replace(cost=1),))).limits
    assert not state.allowed
    assert 30 * 86_400_000_000 < state.retry_after_us < 32 * 86_400_000_000


def test_a_dear_request_leaves_what_others_have(rig, new_subject):
    """One that can never pass charges nothing, and the next one of cost 1 passes at once."""
    kinds = [
        TokenBucket("1/h").bucket,
        LeakyBucket("1/min", max_wait="1ms").drain,
        SlidingWindow("1/h").window,
        SlidingWindowCounter("1/h").window,
        period_at(1_800_000_000_000_000, "month", UTC, 1),
    ]
    for rule in kinds:
        subject = new_subject()
        for cost in (2, 10**12, MOST_UNITS):
            [state] = rig.store.admit(Question(subject, (Charge("limit", rule, cost),))).limits
            assert (state.allowed, state.retry_after_us) == (False, -1)
        assert rig.store.admit(Question(subject, (Charge("limit", rule, 1),))).admitted

"""One environment over arbitrary faults, which knows what it was told: no stretch holds more than the quota."""

from __future__ import annotations

from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.failover_chain import FailoverChain
from tidegate import TokenBucket
from tidegate.decision import NEVER
from tidegate.errors import FaultKind
from tidegate.failover.store import FailoverStore
from tidegate.limits.quota import Period
from tidegate.limits.sliding_window import Window
from tidegate.messages import Charge, Fleet, Question
from tidegate.stores.fleet import FleetView
from tidegate.stores.memory import MemoryStore

happenings = st.one_of(
    st.tuples(st.just("ask"), st.integers(1, 6)),
    st.tuples(st.just("ask"), st.just(1)),
    st.tuples(st.just("wait"), st.floats(0, 1.5)),
    st.tuples(st.just("redis"), st.none() | st.sampled_from(get_args(FaultKind))),
    st.tuples(st.just("dynamodb"), st.none() | st.sampled_from(get_args(FaultKind))),
    st.tuples(st.just("restart"), st.none()),
)


@given(st.integers(1, 20_000), st.integers(1, 6), st.lists(happenings, max_size=40))
def test_no_stretch_holds_more_whichever_stores_decide_and_forget(window_ms, quota, happened):
    chain, window, admitted = FailoverChain(), Window(window_ms, quota), []
    for what, detail in happened:
        if what == "ask":
            answer = chain.store.admit(Question("subject", (Charge("limit", window, detail),)))
            if answer.admitted:
                admitted.append((chain.clock.wall_us(), detail))
        elif what == "wait":
            chain.clock.advance(detail * window_ms / 1000)
        elif what == "restart":
            chain.redis.come_back_empty()
        else:
            store = chain.redis if what == "redis" else chain.dynamodb
            store.fault = detail
    for end, _ in admitted:
        assert sum(units for at, units in admitted if end - window_ms * 1000 <= at <= end) <= quota


def test_what_a_share_never_admits_isnt_refused_for_good():
    """With both stores gone an environment's share may be smaller than a cost that the whole limit admits."""
    chain = FailoverChain()
    view = FleetView(chain.clock, Fleet(50, 49))
    alone = FailoverStore([], MemoryStore(chain.clock), chain.clock, view)
    now = chain.clock.wall_us()
    day = Period(now, now + 86_400_000_000, 10)
    for rule in (day, Window(60_000, 10), TokenBucket("10/min").bucket):
        answer = alone.admit(Question("subject", (Charge("limit", rule, 5),)))
        assert not answer.admitted
        assert answer.limits[0].retry_after_us > 0
        beyond = alone.admit(Question("subject", (Charge("limit", rule, 11),)))
        assert beyond.limits[0].retry_after_us == NEVER

"""One environment over arbitrary faults and times: never an error, never more than burst + rate x time.

That it is alone is what lets it carry all debts itself; fleets are simulated in tests/simulation/overadmission.py.
"""

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from tests.unit.failover_chain import FAULTS, FailoverChain, SharedStore
from tidegate.limits.token_bucket import Bucket, take
from tidegate.messages import Answer, Charge, Question

faults = st.none() | st.sampled_from(FAULTS)
names = st.sampled_from(["redis", "dynamodb"])


class OneEnvironment(RuleBasedStateMachine):
    """A caller that asks one environment for tokens of one limit, while its stores fail as they like.

    Redis may come back empty at any time, noticed or not: what this environment knows, it carries along.
    """

    def __init__(self) -> None:
        super().__init__()
        self.chain = FailoverChain()
        # What one bucket that never forgets would say of all that was admitted, wherever.
        self.tat_us: int | None = None

    @initialize(interval_ms=st.integers(1, 60_000), burst=st.integers(1, 20), counted=st.none() | st.just(1))
    def begin(self, interval_ms: int, burst: int, counted: int | None) -> None:
        self.bucket = Bucket(interval_ms * 1000, burst)
        self.chain.redis.environments = counted

    @rule(cost=st.integers(1, 20), on_outage=st.sampled_from(["share", "allow", "reject"]))
    def ask(self, cost: int, on_outage: str) -> None:
        self._ask(cost, on_outage)

    @rule()
    def ask_until_refused(self) -> None:
        while self._ask(1, "reject").admitted:
            pass

    @rule(seconds=st.floats(0, 20))
    def time_passes(self, seconds: float) -> None:
        self.chain.clock.advance(seconds)

    @rule(name=names, fault=faults)
    def a_store_changes_its_mood(self, name: str, fault) -> None:
        self._store(name).fault = fault

    @rule(name=names, loses=st.booleans())
    def a_store_loses_its_answers_or_stops_to(self, name: str, *, loses: bool) -> None:
        self._store(name).loses_answers = loses

    @rule()
    def redis_restarts_empty(self) -> None:
        self.chain.redis.come_back_empty()

    @precondition(lambda self: self.chain.redis.fault is None and not self.chain.redis.loses_answers)
    @rule()
    def a_second_after_its_return_redis_decides(self) -> None:
        self.chain.clock.advance(1)
        assert self._ask(1, "share").store == "redis"

    def _ask(self, cost: int, on_outage: str) -> Answer:
        before = {store.name: store.decided for store in (self.chain.redis, self.chain.dynamodb)}
        answer = self.chain.store.admit(Question("subject", (Charge("limit", self.bucket, cost),), None, on_outage))
        decided = [name for name, count in before.items() if self._store(name).decided > count]
        alone = "memory" if on_outage == "share" else "none"
        assert [answer.store] == (decided or [alone])
        if answer.store == "none":
            assert answer.admitted == (on_outage == "allow")
        elif answer.admitted:
            within_the_bound = take(self.tat_us, self.chain.clock.wall_us(), self.bucket, cost)
            assert within_the_bound.allowed
            self.tat_us = within_the_bound.tat_us
        return answer

    def _store(self, name: str) -> SharedStore:
        return self.chain.redis if name == "redis" else self.chain.dynamodb


TestOneEnvironment = OneEnvironment.TestCase

"""Shadow decisions: which of Redis' decisions are compared, as what question, and what is counted."""

from __future__ import annotations

import io

import pytest

from tests.harness.inline_background import InlineBackground
from tidegate.decision import LimitState
from tidegate.failover.breaker import Breaker
from tidegate.failover.circuit import CircuitBreakerStore, ShadowCounts
from tidegate.failover.shadow import Shadow
from tidegate.limits.concurrency import Slots
from tidegate.limits.leaky_bucket import Drain
from tidegate.limits.sliding_window import Window
from tidegate.limits.token_bucket import Bucket
from tidegate.messages import Answer, Charge, Question
from tidegate.stores.memory import MemoryStore
from tidegate.telemetry import structured_logger
from tidegate.testing import FailingStore, FakeClock

BUCKET = Charge("b", Bucket(1_000_000, 10), 3)
DRAIN = Charge("d", Drain(1_000_000, 5_000_000), 2, subject="route")
WINDOW = Charge("w", Window(60_000, 10))
SLOT = Charge("s", Slots(5, 60_000_000), holder="h")


class Asked(FailingStore):
    """A store that keeps what it was asked."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(MemoryStore(clock))
        self.questions: list[Question] = []

    def admit(self, question: Question) -> Answer:
        self.questions.append(question)
        return super().admit(question)


class Setting:
    def __init__(self, clock: FakeClock, share: float = 1.0, drawn: float = 0.5) -> None:
        self.store = Asked(clock)
        self.handle = CircuitBreakerStore(FailingStore(MemoryStore(clock)), Breaker(clock), clock)
        self.shadow = Shadow(self.handle, self.store, share, InlineBackground(), lambda: drawn)

    def watch(self, *charges: Charge, admitted: bool = True, debt_us: int = 0, peek: bool = False) -> None:
        states = tuple(LimitState(admitted, 1, 0 if admitted else 1, debt_us) for _ in charges)
        self.shadow.watch(Question("alice", charges, peek=peek), Answer(admitted, states, None, "redis"))


@pytest.fixture
def setting(clock: FakeClock) -> Setting:
    return Setting(clock)


def test_before_any_is_compared_all_counts_are_nought(setting):
    assert setting.shadow.counts == setting.handle.state.shadow == ShadowCounts(asked=0, failed=0, differed=0)
    setting.handle.shadow = None
    assert setting.shadow.counts == ShadowCounts(0, 0, 0)


@pytest.mark.parametrize(("share", "drawn", "asked"), [(0.5, 0.5, 0), (0.5, 0.499, 1), (0.0, 0.0, 0), (1.0, 0.999, 1)])
def test_a_share_of_them_is_compared(clock, share, drawn, asked):
    setting = Setting(clock, share, drawn)
    setting.watch(BUCKET)
    assert len(setting.store.questions) == setting.shadow.counts.asked == asked


def test_what_charged_nothing_is_not_compared(setting):
    setting.watch(BUCKET, peek=True)
    setting.watch()
    setting.shadow.watch(Question("alice", (BUCKET,)), Answer(True, (), None, "redis"))
    assert setting.store.questions == []


@pytest.mark.parametrize("charge", [WINDOW, SLOT, BUCKET._replace(shadow=True), DRAIN._replace(shadow=True)], ids=repr)
def test_what_is_no_bucket_that_binds_is_not_compared(setting, charge):
    setting.watch(charge)
    assert (setting.store.questions, setting.shadow.counts) == ([], ShadowCounts())


def test_the_buckets_are_asked_for_by_themselves_under_names_of_their_own(setting):
    setting.watch(WINDOW, BUCKET, SLOT, DRAIN)
    [asked] = setting.store.questions
    assert asked.subject == "alice"
    assert [(c.key, c.subject, c.rule, c.cost) for c in asked.charges] == [
        ("alice.b", "", BUCKET.rule, 3),
        ("route.d", "", DRAIN.rule, 2),
    ]


@pytest.mark.parametrize(
    ("charge", "admitted", "debt_us", "before_us"),
    [
        (BUCKET, True, 5_000_000, 2_000_000),
        (BUCKET, True, 2_000_000, 0),
        (BUCKET, False, 9_000_000, 9_000_000),
        (DRAIN, True, 5_000_000, 3_000_000),
        (DRAIN, False, 6_000_000, 6_000_000),
    ],
)
def test_the_debt_is_that_from_which_redis_decided(setting, charge, admitted, debt_us, before_us):
    setting.watch(charge, admitted=admitted, debt_us=debt_us)
    [asked] = setting.store.questions
    assert asked.charges[0].min_deficit_us == before_us


def test_what_one_of_two_limits_refused_charged_neither(setting):
    states = (LimitState(True, 5, 0, 5_000_000), LimitState(False, 0, 1, 7_000_000))
    setting.shadow.watch(Question("alice", (BUCKET, DRAIN)), Answer(False, states, None, "redis"))
    [asked] = setting.store.questions
    assert [charge.min_deficit_us for charge in asked.charges] == [5_000_000, 7_000_000]


def test_a_shadow_that_would_refuse_was_not_charged(setting):
    """Of an admitted question only the limits that admit were charged."""
    states = (LimitState(True, 5, 0, 5_000_000), LimitState(False, 0, 1, 7_000_000))
    setting.shadow.watch(Question("alice", (BUCKET, WINDOW)), Answer(True, states, None, "redis"))
    assert setting.store.questions[0].charges[0].min_deficit_us == 2_000_000
    setting.shadow.watch(Question("bob", (BUCKET,)), Answer(True, states[1:], None, "redis"))
    assert setting.store.questions[1].charges[0].min_deficit_us == 7_000_000


def test_only_the_limits_that_are_compared_are_expected_to_agree(setting):
    states = (LimitState(True, 5, 0), LimitState(False, 0, 1))
    setting.shadow.watch(Question("alice", (BUCKET, WINDOW)), Answer(False, states, None, "redis"))
    assert setting.shadow.counts == ShadowCounts(asked=1, failed=0, differed=0)


def test_each_result_is_counted_and_a_difference_is_logged(setting, clock):
    stream = io.StringIO()
    structured_logger().registered_handler.setStream(stream)
    for times in (1, 2):
        setting.watch(BUCKET)
        assert stream.getvalue() == "" if times == 1 else stream.getvalue()
        setting.watch(BUCKET, admitted=False)
        assert stream.getvalue().count("the fallback decides differently") == times
        setting.store.fault = "timeout"
        setting.watch(BUCKET)
        assert setting.handle.state.state == "failing"
        setting.store.fault = None
        clock.advance(60)
        assert setting.shadow.counts == ShadowCounts(asked=3 * times, failed=times, differed=times)
    assert '"redis":false,"dynamodb":true' in stream.getvalue()

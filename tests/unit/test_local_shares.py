"""The shares of one environment while no shared store answers: when they begin, what they tell, what is forgotten."""

from __future__ import annotations

import pytest

from tidegate.decision import NEVER, LimitState
from tidegate.failover.shares import LocalFallbackLimits
from tidegate.limits.concurrency import Slots
from tidegate.limits.quota import Period
from tidegate.limits.token_bucket import Bucket
from tidegate.messages import Answer, Charge, Fleet, Question
from tidegate.testing import FakeClock

DAY_US = 86_400_000_000
BUCKET = Bucket(1_000_000, 8)


def asked(*charges: Charge, subject: str = "alice") -> Question:
    return Question(subject, charges)


def quota_of(shares: LocalFallbackLimits, clock: FakeClock, used: int, subject: str = "alice") -> int:
    """The share of a day's ten units of which so many are known to be used."""
    start = clock.wall_us() // DAY_US * DAY_US
    rule = Period(start, start + DAY_US, 10)
    charge = Charge("day", rule, known_counts=(start, used, start + DAY_US))
    [part] = shares.of(asked(charge, subject=subject), Fleet(2, 0)).charges
    return part.rule.most


def test_who_is_alone_has_the_whole_limit(clock):
    question = asked(Charge("b", BUCKET))
    assert LocalFallbackLimits(clock).of(question, Fleet(1, 0)) is question
    assert LocalFallbackLimits(clock).of(question, Fleet(2, 0)).charges[0].rule == Bucket(2_000_000, 4)


def test_shares_stay_as_they_were_when_the_outage_began(clock):
    shares, question = LocalFallbackLimits(clock), asked(Charge("b", BUCKET))
    assert shares.of(question, Fleet(4, 0)).charges[0].rule == Bucket(4_000_000, 2)
    assert shares.of(question, Fleet(2, 0)).charges[0].rule == Bucket(4_000_000, 2)
    shares.ended()
    assert shares.of(question, Fleet(2, 0)).charges[0].rule == Bucket(2_000_000, 4)


def test_of_a_carried_debt_and_the_shares_own_the_larger_counts(clock):
    for carried_us, owed_us in ((0, 5_000_000), (5_000_000, 5_000_000), (7_000_000, 7_000_000)):
        charge = Charge("b", BUCKET, min_deficit_us=carried_us)
        [part] = LocalFallbackLimits(clock).of(asked(charge), Fleet(4, 0)).charges
        assert part.min_deficit_us == owed_us


def test_what_was_used_before_the_outage_stays_what_it_was(clock):
    shares = LocalFallbackLimits(clock)
    assert quota_of(shares, clock, used=4) == 4 + 3
    assert quota_of(shares, clock, used=6) == 4 + 3, "the share's own use isn't the fleet's"
    shares.ended()
    assert quota_of(shares, clock, used=6) == 6 + 2


@pytest.mark.parametrize(("others", "share"), [(1, 4 + 3), (2, 6 + 2)])
def test_beyond_the_capacity_the_first_that_was_noted_is_forgotten(clock, others, share):
    shares = LocalFallbackLimits(clock, capacity=2)
    assert quota_of(shares, clock, used=4) == 4 + 3
    for other in range(others):
        quota_of(shares, clock, used=0, subject=f"other-{other}")
    assert quota_of(shares, clock, used=6) == share


@pytest.mark.parametrize(
    ("rule", "cost", "told_us"),
    [
        (BUCKET, 8, 1_000_000),
        (BUCKET, 9, NEVER),
        (Slots(3, 60_000_000), 1, 1),
    ],
    ids=repr,
)
def test_what_only_the_share_never_admits_may_be_tried_again(clock, rule, cost, told_us):
    shares = LocalFallbackLimits(clock)
    refused = Answer(False, (LimitState(False, 0, NEVER), LimitState(False, 0, 77)), None, "memory")
    told = shares.told(asked(Charge("a", rule, cost), Charge("b", BUCKET)), refused)
    assert [state.retry_after_us for state in told.limits] == [told_us, 77]
    assert (told.admitted, told.limits[0].allowed, told.store) == (False, False, "memory")


def test_an_admission_is_told_as_it_is(clock):
    admitted = Answer(True, (LimitState(True, 0, 0),), None, "memory")
    assert LocalFallbackLimits(clock).told(asked(Charge("a", BUCKET)), admitted) is admitted

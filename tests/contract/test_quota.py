"""Quotas in every store: callers whose calendar changes, and what the release before has kept."""

from __future__ import annotations

from datetime import UTC
from zoneinfo import ZoneInfo

import pytest
import redis as driver
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.contract.model import LimitsModel
from tidegate.limits.quota import period_at
from tidegate.messages import Charge, Question, Settlement

HOUR_US = 3_600_000_000
ZONES = ["UTC", "Pacific/Kiritimati", "Etc/GMT+12", "Asia/Tokyo", "America/New_York"]
examples = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def period(clocked):
    """The period by a zone's calendar at the moment that the store's clock shows."""
    return lambda zone, calendar="day", quota=3: period_at(clocked.clock.wall_us(), calendar, ZoneInfo(zone), quota)


@examples
@given(
    calendar=st.sampled_from(["day", "month"]),
    visits=st.lists(
        st.tuples(st.integers(0, 30), st.sampled_from(ZONES), st.integers(0, 4), st.booleans()), max_size=15
    ),
)
def test_a_caller_whose_zone_changes_is_answered_as_the_algorithm_does(clocked, period, new_subject, calendar, visits):
    subject, model, other = new_subject(), LimitsModel(), clocked.another()
    for hours, zone, cost, corrects in visits:
        clocked.advance_us(hours * HOUR_US)
        now, rule = clocked.clock.wall_us(), period(zone, calendar)
        question = Question(subject, (Charge("quota", rule, cost),))
        store = other if hours % 2 else clocked.store
        assert store.admit(question).limits == model.admit(question, now)[1]
        if corrects:
            back = (Charge("quota", rule, cost - 2),)
            store.settle(Settlement(subject, None, None, fenced=False, corrections=back))
            model.correct(subject, back, now)


def test_what_a_period_has_used_is_kept_until_no_calendar_reaches_into_it(clocked, period, new_subject):
    """Also by a server that forgets keys: a period that begins where another ended is told from a whole one."""
    subject = new_subject()
    for hours, zone, admitted in ((0, "UTC", True), (0, "UTC", False), (17, "Asia/Tokyo", True), (8, "UTC", False)):
        clocked.pass_ms(hours * 3_600_000)
        question = Question(subject, (Charge("quota", period(zone, quota=1)),))
        assert clocked.store.admit(question).admitted == admitted


def test_a_count_that_the_release_before_has_kept_in_redis_goes_on(clocked, place, period, new_subject):
    if not place.in_redis or place.kind == "fakeredis":
        pytest.skip("about what lies in Redis")
    subject, rule = new_subject(), period("UTC")
    question = Question(subject, (Charge("quota", rule),))
    with driver.Redis.from_url(place.own_url) as client:
        client.set(f"tidegate:{{{subject}}}:quota:q", f"{rule.start_us}:2", px=60_000)
        assert [clocked.store.admit(question).admitted for _ in range(2)] == [True, False]
        assert client.get(f"tidegate:{{{subject}}}:quota:q") == b"%d:2" % rule.start_us


def test_a_count_that_the_release_before_has_kept_in_dynamodb_goes_on(clocked, place, period, new_subject):
    if place.kind != "dynamodb":
        pytest.skip("about what lies in DynamoDB")
    subject, rule = new_subject(), period("UTC")
    client = place.dynamo_client()
    kept = {"quota.s": {"N": str(rule.start_us)}, "quota.u": {"N": "2"}}
    client.call("PutItem", TableName=place.table, Item={"pk": {"S": f"limit#{subject}"}, **kept})
    question = Question(subject, (Charge("quota", rule),))
    assert [clocked.store.admit(question).admitted for _ in range(2)] == [True, False]
    assert period_at(clocked.clock.wall_us(), "day", UTC, 3).end_us == rule.end_us

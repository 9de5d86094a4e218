"""Retry-After and the RateLimit fields: read leniently, kept per scope, and never beyond a day."""

from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.algorithms.decision import LimitState
from tidegate.client.quotas import Quotas
from tidegate.client.rate_limit import Left, quotas_left
from tidegate.client.retry_after import LONGEST_S, retry_after_s
from tidegate.http import Standing, limit_field, policy_field
from tidegate.limits.concurrency import Concurrency
from tidegate.limits.token_bucket import TokenBucket

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
NOW_US = int(NOW.timestamp() * 1_000_000)
TEXT = st.text(max_size=60)


@given(st.integers(0, 10**14))
def test_seconds_are_read_and_capped_at_a_day(seconds):
    assert retry_after_s(str(seconds), None, NOW_US) == min(seconds, LONGEST_S)


@given(st.integers(-86_400, 86_400), st.integers(-(10**6), 10**6))
def test_a_date_counts_from_the_answer_s_own(seconds, skew_s):
    def http_date(epoch_s):
        return format_datetime(datetime.fromtimestamp(epoch_s, UTC), usegmt=True)

    theirs = NOW.timestamp() + skew_s
    assert retry_after_s(http_date(theirs + seconds), http_date(theirs), NOW_US) == max(0, seconds)
    assert retry_after_s(http_date(NOW.timestamp() + seconds), None, NOW_US) == max(0, seconds)


@pytest.mark.parametrize("date", ["Tue, 24 Nov 2026 12:00:30 GMT", "Tuesday, 24-Nov-26 12:00:30 GMT"])
def test_the_forms_of_dates(date):
    assert retry_after_s(date, None, NOW_US) == 30


@pytest.mark.parametrize("text", [None, "", "-1", "1.5", "soon", "1 s", "\u0663", "Tue, 99 Nov 2026 12:00:30 GMT"])
def test_what_is_not_valid_is_ignored(text):
    assert retry_after_s(text, None, NOW_US) is None


@given(TEXT, TEXT)
def test_no_text_breaks_the_reading(text, date):
    waited = retry_after_s(text, date, NOW_US)
    assert waited is None or 0 <= waited <= LONGEST_S
    for left in quotas_left(text, date):
        assert left.remaining >= 0


NUMBERS = st.integers(0, 10**6)


@given(NUMBERS, st.none() | NUMBERS, NUMBERS)
def test_fields_as_the_draft_writes_them(remaining, reset, quota):
    told = f'"burst";r={remaining}' + ("" if reset is None else f";t={reset}")
    until = None if reset is None else min(reset, 86_400)
    assert quotas_left(told, f'"burst";q={quota};w=60') == (Left("burst", remaining, until, in_requests=True),)
    assert quotas_left(told, None) == quotas_left(told, "garbage;;")


def test_the_library_s_own_fields_are_read():
    bucket, slots = TokenBucket("20/s", burst=40), Concurrency(10, name="slots")
    states = (LimitState(False, 0, 2_000_000, NOW_US), LimitState(True, 3, 0, NOW_US))
    standings = [
        Standing(limit, limit.rule(NOW_US), state) for limit, state in zip((bucket, slots), states, strict=True)
    ]
    left, policies = limit_field(standings, 2, NOW_US), policy_field((bucket, slots))
    first, second = quotas_left(left.decode(), policies.decode())
    assert (first.name, first.remaining, first.reset_s, first.in_requests) == (bucket.label, 0, 2, True)
    assert (second.name, second.remaining, second.in_requests) == ("slots", 3, False)


@pytest.mark.parametrize(
    "told",
    [
        "burst;r=1",
        '"burst";r=-1',
        '"burst";r=1.5',
        '"burst";t=1',
        '"burst";r="1"',
        '"burst";r=?1',
        '"a";r=1;t=-1',
        '("a");r=1',
    ],
)
def test_items_that_are_not_valid_are_ignored_and_others_are_not(told):
    assert quotas_left(told, None) == ()
    assert [left.name for left in quotas_left(f'{told}, "good";r=1;t=1', None)] == ["good"]


def test_what_is_left_is_spent_and_then_waited_for():
    quotas = Quotas()
    quotas.learn("GET /a", [Left("burst", 2, 30, in_requests=True)], now_s=100)
    assert [quotas.reserve_s("GET /a", 100), quotas.reserve_s("GET /a", 110), quotas.reserve_s("GET /a", 110)] == [
        0,
        0,
        20,
    ]
    assert quotas.reserve_s("GET /b", 110) == 0
    assert quotas.reserve_s("GET /a", 130) == 0
    assert quotas.reserve_s("GET /a", 131) == 0


def test_quotas_of_other_units_count_only_when_nothing_is_left():
    quotas = Quotas()
    quotas.learn("GET /a", [Left("bytes", 1, 30, in_requests=False)], now_s=0)
    assert [quotas.reserve_s("GET /a", 1) for _ in range(3)] == [0, 0, 0]
    quotas.learn("GET /a", [Left("bytes", 0, 30, in_requests=False)], now_s=1)
    assert quotas.reserve_s("GET /a", 1) == 30


def test_nothing_left_without_an_end_is_no_reason_to_wait():
    quotas = Quotas()
    quotas.learn("GET /a", [Left("slots", 0, None, in_requests=True)], now_s=0)
    assert quotas.reserve_s("GET /a", 0) == 0


def test_retry_after_goes_before_the_fields_and_is_not_shortened():
    quotas = Quotas()
    quotas.learn("GET /a", [Left("burst", 0, 60, in_requests=True)], now_s=0)
    quotas.silence("GET /a", 10, now_s=0)
    quotas.silence("GET /a", 2, now_s=0)
    assert quotas.wait_s("GET /a", 0) == 10
    assert quotas.wait_s("GET /a", 10) == 0


@given(st.lists(st.tuples(st.sampled_from("ab"), NUMBERS, st.integers(1, 100), st.integers(0, 50)), max_size=30))
def test_no_more_is_sent_within_the_time_than_was_left(told):
    quotas, now_s = Quotas(), 0.0
    for name, remaining, reset_s, pause_s in told:
        now_s += pause_s
        left = remaining % 5
        quotas.learn("GET /a", [Left(name, left, reset_s, in_requests=True)], now_s)
        sent = sum(quotas.reserve_s("GET /a", now_s) == 0 for _ in range(8))
        assert sent <= left
        assert quotas.wait_s("GET /a", now_s) > 0
        assert quotas.wait_s("GET /a", now_s + 101) == 0


def test_scopes_are_kept_within_bounds():
    quotas = Quotas()
    for number in range(5000):
        quotas.silence(f"GET /{number}", 10, now_s=0)
    assert quotas.wait_s("GET /0", 0) == 0
    assert quotas.wait_s("GET /4999", 0) == 10

"""Retry-After and the RateLimit fields: read leniently, kept per scope, and never beyond a day."""

from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.client.quotas import Quotas
from tidegate.client.response_fields import LONGEST_S, Left, quotas_left, retry_after_s
from tidegate.decision import LimitState
from tidegate.limits.concurrency import Concurrency
from tidegate.limits.fields import LimitStatus, limit_field, policy_field
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


@pytest.mark.parametrize(
    "odd",
    [
        "Wed, 21 Oct 99999999999999999999 07:28:00 GMT",
        "Wed, 99999999999999999999 Oct 2026 07:28:00 GMT",
        "Wed, 21 Oct 2026 07:28:00 +99999999999999999999",
        "Mon, 01 Jan 0001 00:00:00 +2359",
        "Fri, 31 Dec 9999 23:59:59 -2359",
        "9" * 5000,
        "Wed, 21 Oct 2026",
        "\x00",
    ],
)
def test_an_odd_date_is_ignored_and_raises_nothing(odd):
    for text, date in [(odd, None), ("30", odd), (odd, odd), ("Tue, 24 Nov 2026 12:00:30 GMT", odd)]:
        waited = retry_after_s(text, date, NOW_US)
        assert waited is None or 0 <= waited <= LONGEST_S
    assert retry_after_s("9" * 5000, None, NOW_US) == LONGEST_S


@pytest.mark.parametrize(
    "odd", ['"a";r=1;t=@99999999999999', '"a";r=99999999999999999', "\u20ac", '"a";r=1;t=1e400', "%"]
)
def test_an_odd_rate_limit_is_ignored_and_raises_nothing(odd):
    assert quotas_left(odd, odd) == ()


@given(st.builds("{}, {} {} {} {}:{}:{} {}".format, *[st.text("0123456789OctGMT+-", max_size=22)] * 8))
def test_no_date_breaks_the_reading(text):
    waited = retry_after_s(text, text, NOW_US)
    assert waited is None or 0 <= waited <= LONGEST_S


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
        LimitStatus(limit, limit.rule(NOW_US), state) for limit, state in zip((bucket, slots), states, strict=True)
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


def test_news_of_a_request_that_was_sent_later_wins():
    quotas = Quotas(longest_silence_s=1e6)
    quotas.silence("GET /a", 3600, now_s=0, sent=2)
    quotas.silence("GET /a", 9999, now_s=1, sent=1)
    assert quotas.wait_s("GET /a", 1) == 3599
    quotas.silence("GET /a", 5, now_s=2, sent=3)
    assert quotas.wait_s("GET /a", 2) == 5


def test_what_was_sent_before_the_silence_does_not_end_it():
    quotas = Quotas(longest_silence_s=1e6)
    quotas.silence("GET /a", 3600, now_s=0, sent=2)
    quotas.learn("GET /a", [Left("day", 0, 7200, in_requests=True)], now_s=0, sent=2)
    quotas.accepted("GET /a", sent=1)
    assert quotas.wait_s("GET /a", 0) == 7200
    quotas.accepted("GET /a", sent=3)
    assert quotas.wait_s("GET /a", 0) == 0


def test_one_request_at_a_time_asks_whether_a_long_silence_still_holds():
    quotas = Quotas(longest_silence_s=60)
    quotas.silence("GET /a", 200, now_s=0)
    asked = [second for second in range(200) if quotas.reserve_s("GET /a", second) == 0]
    assert asked == [60, 120, 180]
    assert [quotas.reserve_s("GET /a", 200) for _ in range(2)] == [0, 0]


def test_policies_that_are_named_anew_each_time_fill_no_memory():
    quotas = Quotas()
    for number in range(1000):
        quotas.learn("GET /a", [Left(f"policy-{number}", 1, 86_400, in_requests=True)], now_s=0)
    assert len(quotas._scopes["GET /a"].quotas) <= 16

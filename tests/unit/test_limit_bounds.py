"""The largest and the smallest that a limit can be declared with: the bound itself is taken, one more is refused."""

from __future__ import annotations

import io
import json

import pytest

from tidegate import (
    Concurrency,
    ConfigurationError,
    LeakyBucket,
    Quota,
    SlidingWindow,
    SlidingWindowCounter,
    Tiers,
    TokenBucket,
)
from tidegate.limits.limit import Limit
from tidegate.limits.overrides import Overrides
from tidegate.telemetry import structured_logger

LARGEST = 10**14
HOUR_US = 3_600_000_000
KINDS = {
    "token-bucket": lambda **more: TokenBucket("10/s", **more),
    "leaky-bucket": lambda **more: LeakyBucket("10/s", **more),
    "window": lambda **more: SlidingWindow("10/s", **more),
    "counter": lambda **more: SlidingWindowCounter("10/s", **more),
    "quota": lambda **more: Quota("10/day", **more),
    "slots": lambda **more: Concurrency(10, **more),
}
kinds = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)


def refused(make, argument: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        make()
    assert raised.value.name.endswith(f"({argument}=…)")


@pytest.mark.parametrize(
    ("argument", "taken", "too_much"),
    [
        ("slots", lambda: Concurrency(1_000_000), lambda: Concurrency(1_000_001)),
        ("lease", lambda: Concurrency(1, lease="1s"), lambda: Concurrency(1, lease="999999us")),
        ("lease", lambda: Concurrency(1, lease="24h"), lambda: Concurrency(1, lease="86400000001us")),
        ("cost", lambda: Concurrency(1, cost=1), lambda: Concurrency(1, cost=2)),
        ("max_wait", lambda: LeakyBucket("1/s", max_wait="10s"), lambda: LeakyBucket("1/s", max_wait="10000001us")),
        ("rate", lambda: Quota(f"{LARGEST}/day"), lambda: Quota(f"{LARGEST + 1}/day")),
        ("rate", lambda: Quota(f"{'0' * 17}1/day"), lambda: Quota(f"{'0' * 18}1/day")),
        ("zone", lambda: Quota("1/day", zone="Asia/Tokyo"), lambda: Quota("1/day", zone="Asia/Nowhere")),
        ("rate", lambda: SlidingWindow(f"{LARGEST}/36500d"), lambda: SlidingWindow(f"{LARGEST + 1}/36500d")),
        ("rate", lambda: SlidingWindow("1/5ms"), lambda: SlidingWindow("1/5500us")),
        ("rate", lambda: SlidingWindowCounter("1/5ms"), lambda: SlidingWindowCounter("1/5500us")),
        (
            "rate",  # 2^22 units times 2^30 ms are the most that Lua's doubles count
            lambda: SlidingWindowCounter("4194304/1073741824ms"),
            lambda: SlidingWindowCounter("4194305/1073741824ms"),
        ),
        ("burst", lambda: TokenBucket("1000000/s", burst=LARGEST), lambda: TokenBucket("1000000/s", burst=LARGEST + 1)),
        ("burst", lambda: TokenBucket("1/d", burst=36_500), lambda: TokenBucket("1/d", burst=36_501)),
    ],
)
def test_the_bound_is_taken_and_what_is_beyond_it_is_refused(argument, taken, too_much):
    assert isinstance(taken(), Limit)
    refused(too_much, argument)


@kinds
def test_every_kind_checks_what_all_limits_have(kind):
    assert kind(name="name", per="route", unit="tokens", shared=True, shadow=True).label == "name"
    refused(lambda: kind(name="ü"), "name")
    refused(lambda: kind(name=""), "name")
    refused(lambda: kind(per="everybody"), "per")
    refused(lambda: kind(unit="To kens"), "unit")
    refused(lambda: kind(unit=""), "unit")
    refused(lambda: kind(shared=True), "shared")


@kinds
def test_what_isnt_declared_is_the_plainest(kind):
    limit = kind()
    assert (limit.cost, limit.name, limit.per, limit.shared, limit.shadow, limit.unit) == (
        1, None, "principal", False, False, None,
    )  # fmt: skip


@pytest.mark.parametrize("kind", [TokenBucket, LeakyBucket, SlidingWindow, SlidingWindowCounter])
def test_a_declared_cost_is_bounded_where_the_stores_are(kind):
    assert kind("10/s", cost=LARGEST).cost == LARGEST
    refused(lambda: kind("10/s", cost=LARGEST + 1), "cost")


def test_a_cost_of_two_never_passes_a_bucket_of_one():
    assert TokenBucket("1/s", cost=2).never_admits
    assert not TokenBucket("1/s", cost=1).never_admits


@pytest.mark.parametrize(
    ("limit", "window_s", "quota"),
    [
        (LeakyBucket("10/s", max_wait="1950ms"), 3, 30),
        (LeakyBucket("1000000/s", max_wait="999999us"), 1, 1_000_000),
        (LeakyBucket("1000000/s", max_wait="1s"), 2, 2_000_000),
        (LeakyBucket("1/90s"), 91, 1),
        (LeakyBucket("1/s"), 2, 2),
        (TokenBucket("1000000/s"), 1, 1_000_000),
        (TokenBucket("1000000/s", burst=1_000_001), 2, 2_000_000),
        (TokenBucket("1/90s"), 90, 1),
        (TokenBucket("10/s", burst=1), 1, 10),
        (SlidingWindow("7/500ms"), 1, 14),
        (SlidingWindow("7/1001ms"), 2, 13),
        (SlidingWindow("1000/s"), 1, 1000),
        (SlidingWindow("1/90s"), 90, 1),
        (SlidingWindowCounter("7/500ms"), 1, 14),
        (SlidingWindowCounter("7/1001ms"), 2, 13),
        (SlidingWindowCounter("1000/s"), 1, 1000),
        (SlidingWindowCounter("1/90s"), 90, 1),
        (Quota("7/day"), 86_400, 7),
        (Quota("7/month"), 2_678_400, 7),
        (Concurrency(7), 0, 7),
    ],
)
def test_the_field_states_whole_seconds_and_what_fits_into_them(limit, window_s, quota):
    assert (limit.window_s, limit.quota) == (window_s, quota)


def test_slots_have_no_most_cost_since_a_request_takes_one():
    assert Concurrency(3).rule(0).most >= 10**14


RATES = {"a": "1/s", "b": "9/s"}


@pytest.mark.parametrize("kind", [TokenBucket, LeakyBucket, SlidingWindow, SlidingWindowCounter])
def test_a_rate_by_caller_is_checked_when_it_is_declared(kind):
    def later(_):
        return "1/s"

    async def never(_):
        return "1/s"

    for rate in (later, Tiers(RATES, default="a")):
        limit = kind(rate)
        assert limit.by_caller
        assert limit.of_the_moment
        assert limit.numbers == "by-caller"
        assert not kind(rate, cost=50).never_admits
        refused(lambda rate=rate: kind(rate, per="route"), "rate")
    refused(lambda: kind(never), "rate")
    refused(lambda: kind(Tiers(RATES | {"c": f"{LARGEST + 1}/36500d"}, default="a")), "rate")


@pytest.mark.parametrize("kind", [SlidingWindow, SlidingWindowCounter])
def test_rates_of_a_window_are_over_one_period(kind):
    assert kind(Tiers({"a": "1/s", "b": "9/s"}, default="a")).by_caller
    refused(lambda: kind(Tiers({"a": "1/s", "b": "9/h"}, default="a")), "rate")


def test_a_quota_by_caller_is_checked_when_it_is_declared():
    assert Quota(Tiers({"a": "1/day", "b": "9/day"}, default="a")).units == 1
    refused(lambda: Quota(Tiers({"a": "1/day", "b": "9/day"}, default="a"), per="route"), "rate")
    refused(lambda: Quota(Tiers({"a": "1/day", "b": "9/h"}, default="a")), "rate")


@pytest.mark.parametrize("period", ["day", "month"])
def test_a_stand_in_admits_next_to_nothing(period):
    """It is what a rate by caller is read as until the caller is known."""
    assert TokenBucket(lambda _: f"5/{period}").rule(0).numbers == (86_400_000_000, 1)


@pytest.mark.parametrize("zone", [None, "Asia/Tokyo"])
def test_a_quotas_zone_is_the_callers_or_the_limits_or_utc(zone):
    at_us = 1_800_000_000_000_000  # 08:00 UTC
    limit = Quota("1/day", zone=zone)
    hours = {
        start: (at_us - limit.rule(at_us, start).start_us) // 3_600_000_000 for start in ("America/New_York", None)
    }
    assert hours == {"America/New_York": 3, None: 17 if zone else 8}
    assert limit.rule(at_us, "No/Where").start_us == limit.rule(at_us).start_us


def test_a_change_that_is_refused_says_which_limit_and_why():
    stream = io.StringIO()
    structured_logger().registered_handler.setStream(stream)
    limit = TokenBucket("9/min", burst=5, cost=3, name="reads")
    for changes, detail in (
        ({"speed": 5}, "speed"),
        ({"burst": 2}, "cost of 3"),
        (["off"], "off"),
        ({"rate": "x"}, "rate"),
    ):
        assert Overrides.of({"reads": changes}).applied(limit) is limit
        told = json.loads(stream.getvalue().splitlines()[-1])
        assert (told["message"], told["limit"]) == ("override not applied", "reads")
        assert detail in told["detail"]


def test_what_never_passed_may_be_changed_to_what_never_passes():
    limit = TokenBucket("1/min", burst=2, cost=3, name="reads")
    assert Overrides.of({"reads": {"burst": 1}}).applied(limit).bucket.burst == 1


def test_changes_are_the_same_in_whatever_order_they_are_written():
    one, other = {"rate": "5/s", "burst": 7}, {"burst": 7, "rate": "5/s"}
    assert Overrides.of({"a": one, "b": one}) == Overrides.of({"b": other, "a": other})

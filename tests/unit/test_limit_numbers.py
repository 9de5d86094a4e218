"""What can't be a limit is refused when it is declared, with what to write; so is what a change at run time says."""

from __future__ import annotations

import io
import json
import math

import pytest

from tidegate import (
    Concurrency,
    ConfigurationError,
    LeakyBucket,
    Quota,
    SlidingWindow,
    SlidingWindowCounter,
    TokenBucket,
)
from tidegate.limits.overrides import Overrides
from tidegate.telemetry import structured_logger

RATED = [TokenBucket, LeakyBucket, SlidingWindow, SlidingWindowCounter]
HUGE = 10**15


def refused(make, argument: str) -> str:
    with pytest.raises(ConfigurationError) as raised:
        make()
    assert raised.value.name.endswith(f"({argument}=…)")
    assert "write" in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize("slots", [0, -1, HUGE, 10**9, 2.5, True, "7", None, math.nan])
def test_slots_that_nobody_can_hold_are_refused(slots):
    refused(lambda: Concurrency(slots), "slots")


@pytest.mark.parametrize("lease", ["1us", "0s", "36500d", "25h", "", "soon", 30, None])
def test_a_lease_that_nobody_can_keep_is_refused(lease):
    refused(lambda: Concurrency(1, lease=lease), "lease")


@pytest.mark.parametrize("kind", RATED)
@pytest.mark.parametrize(
    "rate",
    [f"{HUGE}/s", "999999999999999/36500d", "1/36501d", "1/0s", "0/s", "-1/s", "1e9/s", "fast", "", 5, None, b"1/s"],
)
def test_a_rate_that_no_store_can_count_is_refused(kind, rate):
    refused(lambda: kind(rate), "rate")


@pytest.mark.parametrize("rate", [f"{HUGE}/day", f"{'9' * 5000}/month", "0/day", "1/week", "²/day", "1.5/day", 7, None])
def test_a_quota_that_no_store_can_count_is_refused(rate):
    refused(lambda: Quota(rate), "rate")


@pytest.mark.parametrize("burst", [0, -1, HUGE, 2**63, 1.5, True, "many", math.inf])
def test_a_burst_that_no_bucket_can_hold_is_refused(burst):
    refused(lambda: TokenBucket("1/s", burst=burst), "burst")


@pytest.mark.parametrize("kind", RATED)
@pytest.mark.parametrize("cost", [0, -1, HUGE, 1.5, True, None, "3", math.nan])
def test_a_declared_cost_that_is_no_number_of_units_is_refused(kind, cost):
    refused(lambda: kind("10/s", cost=cost), "cost")


@pytest.mark.parametrize(
    "make",
    [
        lambda cost: TokenBucket("10/s", burst=20, cost=cost),
        lambda cost: LeakyBucket("10/s", max_wait="1950ms", cost=cost),
        lambda cost: SlidingWindow("20/s", cost=cost),
        lambda cost: SlidingWindowCounter("20/s", cost=cost),
        lambda cost: Quota("20/day", cost=cost),
    ],
)
def test_a_declared_cost_that_can_never_pass_is_warned_of(make):
    stream = io.StringIO()
    structured_logger().registered_handler.setStream(stream)
    assert not make(20).never_admits
    assert stream.getvalue() == ""
    assert make(21).never_admits
    assert "above the 20 that are ever admitted" in json.loads(stream.getvalue())["detail"]


def test_a_cost_that_nothing_waits_for_is_refused():
    async def cost(_):
        return 1

    class Cost:
        async def __call__(self, _):
            return 1

    for made in (cost, Cost()):
        refused(lambda made=made: TokenBucket("1/s", cost=made), "cost")


@pytest.mark.parametrize("flag", ["shadow", "shared"])
@pytest.mark.parametrize("value", ["false", 1, None])
def test_a_flag_is_true_or_false(flag, value):
    with pytest.raises(ConfigurationError):
        TokenBucket("1/s", name="it", **{flag: value})


@pytest.mark.parametrize(
    "changes",
    [
        {"burst": 2},
        {"burst": 10**15},
        {"burst": True},
        {"burst": math.inf},
        {"rate": 5},
        {"rate": None},
        {"shadow": "false"},
        {"off": "false"},
        {"off": 1},
        {"cost": 1},
        [],
        "off",
        None,
        7,
    ],
)
def test_a_change_at_run_time_that_is_no_limit_changes_nothing(changes):
    limit = TokenBucket("9/min", burst=5, cost=3, name="writes")
    assert Overrides.of({"writes": changes}).applied(limit) is limit


def test_a_change_at_run_time_that_is_a_limit_is_in_force():
    limit = TokenBucket("9/min", burst=5, cost=3, name="writes")
    assert Overrides.of({"writes": {"burst": 3}}).applied(limit).bucket.burst == 3
    assert Overrides.of({"writes": {"off": True}}).applied(limit) is None
    assert Overrides.of({"writes": {"off": False}}).applied(limit) == limit

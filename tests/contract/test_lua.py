"""The Lua of the token bucket is the Python of the token bucket."""

from typing import Any

import pytest
import redis as driver
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.contract.places import LUA
from tidegate.limits.token_bucket import Bucket, take

RUNS_ON = ["redis", "valkey"]

EPOCH_US = 1_800_000_000_000_000

# As many cases as there are, in one evaluation; numbers leave as text, because a reply would cut a double.
SCRIPT = (
    (LUA / "limits.lua").read_text(encoding="utf-8")
    + (LUA / "token_bucket.lua").read_text(encoding="utf-8")
    + """
local answers = {}
for i = 1, #ARGV, 6 do
  local stored, now, interval = ARGV[i] ~= '' and ARGV[i], tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2])
  local burst, cost, known_debt = tonumber(ARGV[i + 3]), tonumber(ARGV[i + 4]), tonumber(ARGV[i + 5])
  local allowed, moved, base, retry_after = take(stored, now, interval, burst, cost, known_debt)
  local tat = allowed and moved or base
  answers[#answers + 1] = { allowed and 1 or 0, string.format('%.0f', tat),
    string.format('%.0f', tokens(tat, now, interval, interval * burst)), string.format('%.0f', retry_after) }
end
return answers
"""
)

intervals = st.integers(1, 1000) | st.integers(1, 86_400_000_000)
bursts = st.integers(1, 10) | st.integers(1, 50_000)


@st.composite
def cases(draw: st.DrawFn) -> tuple[int | None, int, Bucket, int, int]:
    bucket = draw(st.builds(Bucket, intervals, bursts))
    now = EPOCH_US + draw(st.integers(0, 10**15))
    debt = st.integers(-bucket.depth_us, bucket.depth_us) | st.sampled_from([0, 1, bucket.depth_us])
    tat = draw(st.none() | debt.map(lambda us: now + us))
    return (
        tat,
        now,
        bucket,
        draw(st.integers(0, bucket.burst + 2)),
        draw(st.just(0) | st.integers(0, 2 * bucket.depth_us)),
    )


@pytest.fixture
def evaluate(place):
    with driver.Redis.from_url(place.own_url, decode_responses=True) as client:
        yield client.register_script(SCRIPT)


def arguments(case: tuple[int | None, int, Bucket, int, int]) -> list[Any]:
    tat, now, bucket, cost, known_debt = case
    return ["" if tat is None else tat, now, bucket.interval_us, bucket.burst, cost, known_debt]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(cases(), min_size=1, max_size=40))
def test_lua_decides_as_python_does(evaluate, several):
    replies = evaluate(args=[argument for case in several for argument in arguments(case)])
    for case, reply in zip(several, replies, strict=True):
        expected = take(*case)
        assert list(map(int, reply)) == [
            expected.allowed,
            expected.tat_us,
            expected.remaining,
            expected.retry_after_us,
        ]

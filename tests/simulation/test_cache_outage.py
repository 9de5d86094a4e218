"""Five minutes without Redis: the origin is asked no more than twice as often; the whole table is a program's."""

import pytest

from tests.simulation.cache_outage import Load, simulate

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("environments", [1, 8])
async def test_the_origin_is_asked_at_most_twice_as_often_without_redis(environments):
    seen = await simulate(Load(environments, things=2, gap_s=6.0))
    assert 16 <= seen.before <= 40, "once in thirty seconds for each of two"
    assert seen.ratio <= 2
    assert seen.oldest_s <= 3630

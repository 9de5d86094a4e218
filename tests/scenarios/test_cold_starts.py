"""A scale-out refuses nobody and rings no alarm: behind TLS, IAM authentication and 2 ms of latency."""

from collections import Counter

import pytest

from tests.scenarios.cold_starts import fair_budget_ms, scale_out

pytestmark = pytest.mark.slow


def is_quiet(births, environments):
    assert births.denied == ()
    assert births.alarming == ()
    assert births.statuses == Counter({200: environments})
    assert births.stores == Counter({"redis": environments})
    assert births.signed >= environments


def test_few_environments_born_at_once_find_redis():
    # An ample budget: whether a decision is in time on a busy machine is no matter of a cold start.
    is_quiet(scale_out(4, 2.0, 3000), 4)


@pytest.mark.benchmark
def test_forty_environments_born_at_once_find_redis_within_the_budget():
    is_quiet(scale_out(40, 2.0, fair_budget_ms(40)), 40)

"""One scale-out over real environments: nothing quiet is shed for it, and the demand is known."""

import asyncio

import pytest

from tests.scenarios.scale_out import scale_out

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def found():
    return asyncio.run(scale_out())


def test_quiet_traffic_is_served_while_a_fleet_starts(found):
    assert set(found.outcomes) == {"served"}


def test_the_fleet_knows_its_demand_seconds_later(found):
    assert abs(found.error) < 0.2

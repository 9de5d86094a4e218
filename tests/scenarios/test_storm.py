"""A short storm over real environments: who is refused, and at what cost. Its times are `make storm`'s to tell."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from tests.harness.lambda_events import rest_event
from tests.harness.redis_server import RedisServer
from tests.scenarios.storm_fleet import Fleet
from tests.scenarios.storm_load import MIX, Clients
from tests.scenarios.storm_run import SHEDDING, Extent

pytestmark = pytest.mark.slow

# Patience and queue without an end: what isn't served was refused by what is tested. All that is critical is a quarter
# of the capacity, so that a machine which is slow for a while doesn't make it too much.
EXTENT = Extent(
    environments=4, service_s=0.3, queue=10_000, principals=200, patience_s=120, limit="600/s", factors=(5,)
)
SECONDS = 4


@pytest.fixture(scope="module")
def storm():
    return asyncio.run(_storm())


async def _storm():
    """Five times the capacity, half of the time with Redis; what became of each, the log, and what Redis was asked."""
    with RedisServer() as redis:
        async with Fleet(EXTENT.environments, EXTENT.queue, SHEDDING.variables(EXTENT, redis)) as fleet:
            for criticality in MIX:
                await fleet.warm(rest_event("GET", f"/{criticality}", api_key_id="nobody"))
            redis.command("CONFIG", "RESETSTAT")
            clients = Clients(fleet, EXTENT.principals, EXTENT.patience_s)
            await clients.come(5 * EXTENT.capacity, SECONDS / 2)
            await clients.ended()
            evaluations, admitted = _evaluations(redis), _admitted(fleet.lines()[EXTENT.environments * len(MIX) :])
            redis.kill()
            await clients.come(5 * EXTENT.capacity, SECONDS / 2)
            await clients.ended()
            return clients.asked, fleet.lines(), evaluations, admitted


def _admitted(lines):
    return sum(line["outcome"] == "admitted" for line in lines)


def _evaluations(redis):
    stats = redis.info("commandstats")
    return sum(stats.get(f"cmdstat_{name}", {}).get("calls", 0) for name in ("evalsha", "eval"))


def test_everything_is_answered_and_only_shedding_refuses(storm):
    asked, *_ = storm
    assert {one.outcome for one in asked} == {"served", "shed"}


def test_nothing_critical_is_refused(storm):
    asked, *_ = storm
    critical = Counter(one.outcome for one in asked if one.criticality == "critical")
    assert set(critical) == {"served"}


def test_the_less_critical_is_refused_first(storm):
    asked, *_ = storm
    shed = {}
    for each in MIX:
        outcomes = Counter(one.outcome for one in asked if one.criticality == each)
        shed[each] = outcomes["shed"] / outcomes.total()
    assert shed["critical"] < shed["sheddable"]
    assert shed["normal"] < shed["sheddable"]
    assert shed["sheddable"] > 0.5, "four of five must go, and most are sheddable"


def test_a_refusal_asks_no_store_and_says_why(storm):
    _, lines, evaluations, admitted = storm
    shed = [line for line in lines if line["outcome"] == "shed"]
    assert len(shed) > 20
    assert not [line for line in shed if "store" in line or "admission_ms" in line]
    assert {line["shed"] for line in shed} <= {"demand", "wait"}
    assert {line["status"] for line in shed} == {503}
    assert 0 < evaluations <= 3 * admitted, "a decision, and now and then a heartbeat and a report that ride along"

"""`tidegate scenario redis-down` in short: Redis refuses, hangs and comes back empty, and what is promised holds."""

from __future__ import annotations

import pytest

from tidegate_local.scenarios import demo, redis_down
from tidegate_local.scenarios.play import Play
from tidegate_local.state import LocalState

pytestmark = pytest.mark.e2e

# How long an answer takes is a benchmark's affair.
TIMED = "p99 with Redis broken"


class Faults:
    """The test's own Redis, broken as the scenario breaks a cloud's."""

    def __init__(self, redis):
        self.kill, self.hang, self.resume = redis.kill, redis.stop, redis.cont
        self.restart_empty, self.heal = redis.restart_empty, redis.heal


@pytest.fixture
def no_orders(cloud):
    """The other tests' orders are gone: the sales report, which the scenario asks for, would read them all."""
    table = cloud.state["outputs"]["OrdersTable"]
    with cloud.aws("dynamodb") as dynamodb:
        for page in dynamodb.get_paginator("scan").paginate(TableName=table, ProjectionExpression="id"):
            for item in page["Items"]:
                dynamodb.delete_item(TableName=table, Key=item)


def test_what_is_promised_holds_while_redis_is_lost_in_three_ways(cloud, no_orders):
    play = Play(LocalState(**cloud.state))
    extent = redis_down.Extent(quiet_s=1, fault_s=1, between_s=0.5, brief=True, environments=8)
    made = redis_down.play(play, demo.of_project(), Faults(cloud.redis), extent)
    assert [p for p in made.promises if not p.held and not p.what.startswith(TIMED)] == []
    assert [seen.phase.name for seen in made.phases] == [
        *("before", "refused", "back", "hung", "resumed", "restarted empty", "after"),
    ]
    assert len(made.promises) == 6, "the limit was never asked for"

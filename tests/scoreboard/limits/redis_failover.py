"""A managed failover: the replica is promoted, the name leads to it, and the old primary becomes its replica."""

from __future__ import annotations

from tests.harness.waiting import eventually
from tests.scoreboard.cell import Cell, Situation
from tests.scoreboard.limits import outage
from tests.scoreboard.stage import Stage


def _run(stage: Stage) -> Cell:
    other = stage.second_redis()
    served = outage.warmed(stage)
    eventually(lambda: stage.redis.command("WAIT", 1, 1000) == 1)
    other.command("REPLICAOF", "NO", "ONE")
    stage.to_redis.lead_to(other.port)
    stage.redis.command("REPLICAOF", other.host, other.port)
    return outage.during(served)


SITUATIONS = (
    Situation(
        "failover",
        "New connections lead to the promoted replica; those that are open lead to the old primary, which is READONLY "
        f"now. {outage.EXPECTED}",
        "https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/AutoFailover.html (the endpoint's name is moved)",
        _run,
        outage.LIMIT,
    ),
)

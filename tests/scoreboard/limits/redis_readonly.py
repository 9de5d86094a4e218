"""Redis was demoted: it reads, and refuses every write."""

from __future__ import annotations

from tests.scoreboard.cell import Cell, Situation
from tests.scoreboard.limits import outage
from tests.scoreboard.stage import Stage


def _run(stage: Stage) -> Cell:
    served = outage.warmed(stage)
    stage.redis.readonly()
    return outage.during(served)


SITUATIONS = (
    Situation(
        "Redis is READONLY",
        f"It is a replica now, and stays one. {outage.EXPECTED}",
        outage.SOURCE,
        _run,
        outage.LIMIT,
    ),
)

"""Redis restarts without its data: no key, no script, no old connection."""

from __future__ import annotations

from tests.scoreboard.cell import Cell, Situation
from tests.scoreboard.limits import outage
from tests.scoreboard.stage import Stage


def _run(stage: Stage) -> Cell:
    served = outage.warmed(stage)
    stage.redis.restart_empty()
    return outage.during(served)


SITUATIONS = (
    Situation(
        "Redis restarted empty",
        f"Scripts and connections are gone with the data. {outage.EXPECTED}",
        "https://redis.io/docs/latest/develop/programmability/eval-intro/ (a script may be lost at any time: NOSCRIPT)",
        _run,
        outage.LIMIT,
    ),
)

"""The name of Redis isn't found any more: each lookup hangs, and connections were lost."""

from __future__ import annotations

from tests.harness.hanging_names import HangingNames
from tests.scoreboard.cell import Cell, Situation
from tests.scoreboard.limits import outage
from tests.scoreboard.stage import REDIS_NAME, Stage


def _run(stage: Stage) -> Cell:
    folder = stage.folder / "names"
    folder.mkdir()
    names = HangingNames(folder)
    served = outage.warmed(stage)
    names.hang(REDIS_NAME)
    stage.to_redis.refuse()
    stage.to_redis.pass_through()
    try:
        return outage.during(served)
    finally:
        names.go_on(REDIS_NAME)


SITUATIONS = (
    Situation(
        "its name hangs",
        f"The process's lookups of Redis' name hang, and its connections were cut. {outage.EXPECTED}",
        outage.SOURCE,
        _run,
        outage.LIMIT,
    ),
)

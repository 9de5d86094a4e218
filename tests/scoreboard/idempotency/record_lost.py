"""Redis restarts empty between a request and its retry."""

from __future__ import annotations

from tests.scoreboard.asking import ask, times
from tests.scoreboard.cell import Cell, Situation, failed, judged
from tests.scoreboard.idempotency.orders import order, retried, warmed
from tests.scoreboard.stage import Stage

_WITHIN_S = 5.0


def _run(stage: Stage) -> Cell:
    served = warmed(stage)
    first = ask(served.url, order("k1"))
    if not first.succeeded:
        return failed(f"the first was answered {first.said}")
    stage.redis.restart_empty()
    _, seen = retried(served, order("k1"), _WITHIN_S)
    ran = stage.runs("tea")
    return judged(f"{seen}; run {times(ran)}", fine=ran == 1)


SITUATIONS = (
    Situation(
        "record lost",
        "Redis loses its data after the response. A retry doesn't run the handler again.",
        "https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/FaultTolerance.html (what memory holds may be lost)",
        _run,
    ),
)

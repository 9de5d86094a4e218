"""A retry of a request whose response was lost on its way, while all is well."""

from __future__ import annotations

from tests.scoreboard.asking import ask, times
from tests.scoreboard.cell import Cell, Situation, judged
from tests.scoreboard.idempotency.orders import DRAFT, order, run_of, warmed
from tests.scoreboard.stage import Stage


def _run(stage: Stage) -> Cell:
    served = warmed(stage)
    first, second = (ask(served.url, order("k1")) for _ in range(2))
    same = first.succeeded and run_of(first) == run_of(second)
    ran = stage.runs("tea")
    return judged(f"{first.said}, then {second.said}; run {times(ran)}", fine=same and ran == 1)


SITUATIONS = (
    Situation(
        "plain retry",
        "The same payload under the same key gets the same response, and the handler has run once.",
        f"{DRAFT} (section 2.6)",
        _run,
    ),
)

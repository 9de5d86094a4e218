"""One key, two payloads."""

from __future__ import annotations

from tests.scoreboard.asking import ask, times
from tests.scoreboard.cell import Cell, Situation, judged
from tests.scoreboard.idempotency.orders import DRAFT, order, warmed
from tests.scoreboard.stage import Stage


def _run(stage: Stage) -> Cell:
    served = warmed(stage)
    first = ask(served.url, order("k1", "tea"))
    other = ask(served.url, order("k1", "coffee"))
    ran = stage.runs("coffee")
    refused = other.fine and not other.succeeded
    return judged(
        f"{other.said}, run {times(ran)}" if ran else str(other.said), fine=first.succeeded and refused and not ran
    )


SITUATIONS = (
    Situation(
        "one key, two payloads",
        "The second payload is refused (4xx; the draft says 422), and its handler doesn't run.",
        f"{DRAFT} (section 2.7)",
        _run,
    ),
)

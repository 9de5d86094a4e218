"""Two callers who use the same key, by chance or on purpose."""

from __future__ import annotations

from tests.scoreboard.asking import ask
from tests.scoreboard.cell import Cell, Situation, failed, held
from tests.scoreboard.idempotency.orders import DRAFT, order, run_of, warmed
from tests.scoreboard.stage import Stage


def _run(stage: Stage) -> Cell:
    served = warmed(stage)
    first = ask(served.url, order("k1"))
    other = ask(served.url, order("k1", caller="mallory"))
    if not first.succeeded:
        return failed(f"the first was answered {first.said}")
    if run_of(other) == run_of(first):
        return failed(f"{other.said} with another's body")
    return held(f"{other.said}, a run of its own" if other.succeeded else str(other.said))


SITUATIONS = (
    Situation(
        "another credential, same key",
        "Another bearer with the same key and the same payload doesn't get the first one's response.",
        f"{DRAFT} (section 5: a composite key against injection)",
        _run,
    ),
)

"""A process that holds a claim dies, or stops and comes back when another one has taken over (a zombie)."""

from __future__ import annotations

from tests.harness.waiting import eventually
from tests.scoreboard import origin
from tests.scoreboard.asking import Answer, times
from tests.scoreboard.cell import Cell, Situation, failed, judged
from tests.scoreboard.idempotency.orders import LEASE, WITHIN_S, Asked, order, retried, run_of, warmed
from tests.scoreboard.stage import Served, Stage

_BACK_S = 5.0


def _killed(stage: Stage) -> Cell:
    holder, other, _ = _holding(stage)
    holder.process.kill()
    stage.tell(origin.HOLD, on=False)
    answer, seen = retried(other, order("k1"))
    return judged(f"{seen}; run {times(stage.runs('tea'))}", fine=answer is not None)


def _zombie(stage: Stage) -> Cell:
    holder, other, asked = _holding(stage)
    holder.process.stop()
    stage.tell(origin.HOLD, on=False)
    second, seen = retried(other, order("k1"))
    holder.process.cont()
    first = asked.answer(_BACK_S)
    third, last = retried(other, order("k1"), _BACK_S)
    if third is None:
        return failed(f"{seen}; after its return {last}")
    told = [run_of(answer) for answer in (second, third) if answer is not None]
    zombie = _told(first)
    same = len(set(told)) == 1
    return judged(f"{seen}; {'the same' if same else 'another run'} after its return; it said {zombie}", fine=same)


def _holding(stage: Stage) -> tuple[Served, Served, Asked]:
    """Two processes; the first is in the middle of the handler."""
    holder, other = warmed(stage), warmed(stage)
    stage.tell(origin.HOLD, on=True)
    asked = Asked(holder, order("k1"))
    eventually(lambda: stage.runs("tea") == 1)
    return holder, other, asked


def _told(first: Answer | None) -> str:
    return "nothing" if first is None else str(first.said)


SITUATIONS = (
    Situation(
        "holder killed",
        f"SIGKILL in the middle of the handler. A retry by another process ends in a 2xx within {WITHIN_S:.0f} s; "
        f"{LEASE}.",
        "https://docs.aws.amazon.com/powertools/python/latest/utilities/idempotency/ (Lambda timeouts)",
        _killed,
    ),
    Situation(
        "zombie holder",
        "The holder is stopped (SIGSTOP) until another process has answered a retry or "
        f"{WITHIN_S:.0f} s are over, and goes on. What a retry was told before, the next one is told, too.",
        "https://martin.kleppmann.com/2016/02/08/how-to-do-distributed-locking.html (fencing)",
        _zombie,
    ),
)

"""A store does what it is asked, and its acknowledgement is lost: of the claim, and of the response that is kept."""

from __future__ import annotations

from tests.harness.waiting import eventually
from tests.scoreboard import origin
from tests.scoreboard.asking import ask, times
from tests.scoreboard.cell import Cell, Situation, judged
from tests.scoreboard.idempotency.orders import LEASE, WITHIN_S, Asked, claims_way, order, retried, warmed
from tests.scoreboard.place import NotOfferedError
from tests.scoreboard.stage import Stage

_GIVEN_UP_S = 3.0
_SOURCE = "https://en.wikipedia.org/wiki/Two_Generals%27_Problem"
_NO_WAY = "its claims are in a file, to which no network leads"


def _claims(stage: Stage) -> Cell:
    way, served = claims_way(stage), warmed(stage)
    if way is None:
        raise NotOfferedError(_NO_WAY)
    way.half_reply(0, once=True)
    first = ask(served.url, order("k1"), _GIVEN_UP_S)
    answer, seen = retried(served, order("k1"))
    ran = stage.runs("tea")
    return judged(f"{first.said}; retries: {seen}; run {times(ran)}", fine=answer is not None and ran == 1)


def _response(stage: Stage) -> Cell:
    way, served = claims_way(stage), warmed(stage)
    if way is None:
        raise NotOfferedError(_NO_WAY)
    stage.tell(origin.HOLD, on=True)
    first = Asked(served, order("k1"), _GIVEN_UP_S)
    eventually(lambda: stage.runs("tea") == 1)
    way.half_reply(0, once=True)
    stage.tell(origin.HOLD, on=False)
    told = first.answer(2 * _GIVEN_UP_S)
    answer, seen = retried(served, order("k1"))
    ran = stage.runs("tea")
    assert told
    return judged(f"{told.said}; retries: {seen}; run {times(ran)}", fine=answer is not None and ran == 1)


SITUATIONS = (
    Situation(
        "claim's acknowledgement lost",
        f"The store takes the claim, and its reply and that connection are lost. Retries end in a 2xx within "
        f"{WITHIN_S:.0f} s, and the handler has run once; {LEASE}.",
        _SOURCE,
        _claims,
    ),
    Situation(
        "response's acknowledgement lost",
        "The same for the write that keeps the response.",
        _SOURCE,
        _response,
    ),
)

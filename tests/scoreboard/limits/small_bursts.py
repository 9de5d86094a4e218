"""A rate with a burst that is far smaller: what passes of a flood."""

from __future__ import annotations

from tests.scoreboard.asking import Request, paced
from tests.scoreboard.cell import Cell, Situation, judged
from tests.scoreboard.limits.outage import warmed
from tests.scoreboard.place import Limit
from tests.scoreboard.stage import Stage

_LIMIT = Limit(10, 1, burst=2)
_LIMITED = Request("/limited")
_REQUESTS, _EVERY_S = 120, 0.02
_AT_LEAST = 0.8


def _run(stage: Stage) -> Cell:
    served = warmed(stage)
    answers = paced([served.url], _LIMITED, _REQUESTS, _EVERY_S, 10.0)
    passed = sum(answer.succeeded for answer in answers)
    lasted_s = max(answer.received for answer in answers) - min(answer.sent for answer in answers)
    assert _LIMIT.burst
    most = _LIMIT.burst + _LIMIT.count * lasted_s
    return judged(f"{passed} passed, {most:.1f} are due", fine=_AT_LEAST * most <= passed <= most)


SITUATIONS = (
    Situation(
        "small burst",
        f"Of {_REQUESTS} requests at {1 / _EVERY_S:.0f} a second, with {_LIMIT.count}/s and a burst of {_LIMIT.burst}, "
        f"the burst and the rate's share of the time pass: no more, and no less than {_AT_LEAST:.0%} of it.",
        "https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm",
        _run,
        _LIMIT,
    ),
)

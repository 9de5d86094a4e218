"""Redis refuses or hangs: a cache that is away makes nothing worse than no cache."""

from __future__ import annotations

from collections.abc import Callable

from tests.harness.tcp_proxy import TcpProxy
from tests.scoreboard.asking import HUNG, ask, paced, told
from tests.scoreboard.cache.things import THING
from tests.scoreboard.cell import Cell, Situation, failed, judged
from tests.scoreboard.stage import Stage

_REQUESTS, _EVERY_S, _SLOW_S = 40, 0.04, 1.0


def _situation(name: str, what: str, fault: Callable[[TcpProxy], object]) -> Situation:
    def run(stage: Stage) -> Cell:
        served = stage.serve()
        ask(served.url, THING)
        fault(stage.to_redis)
        answers = paced([served.url], THING, _REQUESTS, _EVERY_S, 4.0)
        if any(answer.said == HUNG for answer in answers):
            return failed(f"{told(answers)}, stopped by us")
        return judged(told(answers), fine=all(one.succeeded and one.seconds <= _SLOW_S for one in answers))

    expected = f"{what} All {_REQUESTS} requests are answered with a 200 within {_SLOW_S:.0f} s."
    source = "https://github.com/Krukov/cashews#redis ('Any connection errors are suppressed')"
    return Situation(name, expected, source, run)


SITUATIONS = (
    _situation("Redis refuses", "Its port isn't listening.", lambda way: way.refuse()),
    _situation("Redis hangs", "It accepts and never answers.", lambda way: way.hang()),
)

"""Faults between a limiter and its Redis: refused, hung, slow, reset."""

from __future__ import annotations

from collections.abc import Callable

from tests.harness.tcp_proxy import TcpProxy
from tests.scoreboard.cell import Cell, Situation
from tests.scoreboard.limits import outage
from tests.scoreboard.stage import Stage

_SLOW_MS = 1500


def _situation(name: str, what: str, fault: Callable[[TcpProxy], object]) -> Situation:
    def run(stage: Stage) -> Cell:
        served = outage.warmed(stage)
        fault(stage.to_redis)
        return outage.during(served)

    return Situation(name, f"{what} {outage.EXPECTED}", outage.SOURCE, run, outage.LIMIT)


SITUATIONS = (
    _situation("Redis refuses", "Its port isn't listening, and connections were reset.", lambda way: way.refuse()),
    _situation("Redis hangs", "It accepts and never answers.", lambda way: way.hang()),
    _situation("Redis is slow", f"Each reply comes {_SLOW_MS} ms late.", lambda way: way.delay(_SLOW_MS)),
    _situation("Redis resets", "Each connection is reset.", lambda way: way.reset()),
)

"""A hot copy expires under a steady flow of requests."""

from __future__ import annotations

from tests.scoreboard.asking import ask, paced, times, told
from tests.scoreboard.cache.things import THING
from tests.scoreboard.cell import Cell, Situation, judged
from tests.scoreboard.stage import Stage

_TTL_S, _ORIGIN_S = 1, 0.3
_REQUESTS, _EVERY_S = 160, 0.025
_EXPIRIES = int(_REQUESTS * _EVERY_S / _TTL_S)


def _run(stage: Stage) -> Cell:
    served = stage.serve()
    ask(served.url, THING)
    answers = paced([served.url], THING, _REQUESTS, _EVERY_S, 10.0)
    made = stage.runs("hot") - 1
    fine = 0 < made <= _EXPIRIES and all(answer.succeeded for answer in answers)
    return judged(f"made {times(made)}; {told(answers)}", fine=fine)


SITUATIONS = (
    Situation(
        "expiry under load",
        f"{1 / _EVERY_S:.0f} requests a second for {_REQUESTS * _EVERY_S:.0f} s, fresh for {_TTL_S} s, "
        f"{_ORIGIN_S} s to make: it is made at most {_EXPIRIES} times, once for each expiry.",
        "https://en.wikipedia.org/wiki/Cache_stampede",
        _run,
        ttl_s=_TTL_S,
        origin_s=_ORIGIN_S,
    ),
)

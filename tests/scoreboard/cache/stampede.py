"""Many ask at once for what is in no cache."""

from __future__ import annotations

from tests.scoreboard.asking import Request, at_once, times, told
from tests.scoreboard.cache.things import THING
from tests.scoreboard.cell import Cell, Situation, judged
from tests.scoreboard.stage import Stage

_REQUESTS = 40
_WARM = Request("/things/warm")


def _run(stage: Stage) -> Cell:
    servers = [stage.serve() for _ in range(2)]
    urls = [served.url for served in servers]
    at_once(urls, _WARM, len(urls), 10.0)
    answers = at_once(urls, THING, _REQUESTS, 10.0)
    made = stage.runs("hot")
    fine = made == 1 and all(answer.succeeded for answer in answers)
    return judged(f"made {times(made)}; {told(answers)}", fine=fine)


SITUATIONS = (
    Situation(
        "stampede",
        f"{_REQUESTS} requests at once, at two processes, for what takes 0.5 s to make: it is made once.",
        "https://github.com/Krukov/cashews#locked ('exactly one function call for given ttl')",
        _run,
        origin_s=0.5,
    ),
)

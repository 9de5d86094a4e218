"""Many ask at once for what can't be made, behind whatever lets one of them make it for all."""

from __future__ import annotations

from tests.scoreboard import origin
from tests.scoreboard.asking import Request, ask, at_once, told
from tests.scoreboard.cache.things import THING
from tests.scoreboard.cell import Cell, Situation, judged
from tests.scoreboard.stage import Stage

_REQUESTS = 20
_ORIGIN_S = 0.5
_WITHIN_S = 4 * _ORIGIN_S


def _run(stage: Stage) -> Cell:
    served = stage.serve()
    ask(served.url, Request("/things/warm"))
    stage.tell(origin.FAIL, on=True)
    answers = at_once([served.url], THING, _REQUESTS, 10.0)
    stage.tell(origin.FAIL, on=False)
    after = ask(served.url, THING)
    fine = all(answer.said == 500 and answer.seconds <= _WITHIN_S for answer in answers) and after.succeeded
    return judged(f"{told(answers)}; mended: {after.said}", fine=fine)


SITUATIONS = (
    Situation(
        "failing origin",
        f"{_REQUESTS} requests at once for what fails after {_ORIGIN_S} s: each is told so within {_WITHIN_S:.0f} s, "
        "not one after the other; and when the origin is mended, the next request is answered.",
        "https://pkg.go.dev/golang.org/x/sync/singleflight (an error is shared, and forgotten)",
        _run,
        origin_s=_ORIGIN_S,
    ),
)

"""The wall clock of the process is put back by a minute, as after a wrong start or a live migration."""

from __future__ import annotations

from tests.harness.waiting import eventually
from tests.scoreboard.asking import Request, ask, at_once
from tests.scoreboard.cell import Cell, Situation, failed, held
from tests.scoreboard.limits.outage import warmed
from tests.scoreboard.place import Limit
from tests.scoreboard.stage import Stage

_LIMIT = Limit(10, 2)
_LIMITED = Request("/limited")
_BACK_S = 60
_WITHIN_S = 5.0


def _run(stage: Stage) -> Cell:
    clock = stage.folder / "clock"
    clock.write_text("0", encoding="ascii")
    served = warmed(stage)
    before = sum(answer.succeeded for answer in at_once([served.url], _LIMITED, 30, 10.0))
    clock.write_text(str(-_BACK_S), encoding="ascii")
    after = sum(answer.succeeded for answer in at_once([served.url], _LIMITED, 30, 10.0))
    try:
        eventually(lambda: ask(served.url, _LIMITED).succeeded, within_s=_WITHIN_S, every_s=0.1)
    except AssertionError:
        return failed(f"nobody passes for {_WITHIN_S:.0f} s after it")
    seen = f"{before} of 30 before, {after} of 30 at once after it"
    return held(seen) if before and before + after <= 2 * _LIMIT.count else failed(seen)


SITUATIONS = (
    Situation(
        "clock put back",
        f"The process's clock goes back by {_BACK_S} s when the limit of {_LIMIT.count} in {_LIMIT.seconds} s is used "
        f"up: no more than {_LIMIT.count} others pass at once, and somebody passes again within {_WITHIN_S:.0f} s.",
        "https://docs.python.org/3/library/time.html#time.time (it may go back)",
        _run,
        _LIMIT,
    ),
)

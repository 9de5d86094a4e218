"""How much passes within any stretch of a window's length, at the worst moment for who forgets at a boundary."""

from __future__ import annotations

import time
from collections.abc import Sequence

from tests.scoreboard.asking import Answer, Request, at_once, paced
from tests.scoreboard.cell import Cell, Situation, judged
from tests.scoreboard.limits.outage import warmed
from tests.scoreboard.place import Limit
from tests.scoreboard.stage import Stage

_LIMIT = Limit(10, 2, exact=True)
_LIMITED = Request("/limited")


def _run(stage: Stage) -> Cell:
    served = warmed(stage)
    window_s = _LIMIT.seconds
    # When what has warmed it counts no more; windows that begin with the first request and those of the clock together.
    time.sleep(2 * window_s - time.time() % window_s)
    opened = at_once([served.url], _LIMITED, 1, 10.0)
    time.sleep(window_s * 0.8)
    flood = paced([served.url], _LIMITED, 60, window_s / 60, 10.0)
    most = _most([answer for answer in (*opened, *flood) if answer.succeeded], window_s)
    return judged(f"{most} within {window_s} s", fine=0 < most <= _LIMIT.count)


def _most(passed: Sequence[Answer], window_s: float) -> int:
    """The most that surely fell into one window: sent after its start and answered before its end."""
    starts = [answer.sent for answer in passed]
    return max(
        (sum(answer.sent >= start and answer.received <= start + window_s for answer in passed) for start in starts),
        default=0,
    )


SITUATIONS = (
    Situation(
        "any window",
        f"No stretch of {_LIMIT.seconds} s has more than {_LIMIT.count}, around the change of a fixed window, too. Who "
        "has an algorithm that promises so runs that one.",
        "https://limits.readthedocs.io/en/stable/strategies.html (moving window)",
        _run,
        _LIMIT,
    ),
)

"""Redis is away, and the API has several processes: the limit is the API's."""

from __future__ import annotations

from tests.scoreboard.cell import Cell, Situation
from tests.scoreboard.limits import outage
from tests.scoreboard.stage import Stage

_PROCESSES = 3


def _run(stage: Stage) -> Cell:
    servers = outage.warmed_servers(stage, _PROCESSES)
    stage.to_redis.refuse()
    return outage.during(*servers, requests=_PROCESSES * outage.REQUESTS)


SITUATIONS = (
    Situation(
        f"Redis refuses, {_PROCESSES} processes",
        f"Of {_PROCESSES * outage.REQUESTS} requests in turns to {_PROCESSES} processes each is answered within "
        f"{outage.SLOW_S:.0f} s and without a 5xx; some pass, and no more than {2 * outage.LIMIT.count}, as of one.",
        "A limit is the caller's, whichever process answers him",
        _run,
        outage.LIMIT,
    ),
)

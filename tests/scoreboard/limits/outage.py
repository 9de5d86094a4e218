"""What is asked while Redis is away, and what must be seen: the same in every such situation."""

from __future__ import annotations

from collections.abc import Sequence

from tests.scoreboard.asking import HUNG, Answer, Request, paced, told
from tests.scoreboard.cell import Cell, failed, held
from tests.scoreboard.place import Limit
from tests.scoreboard.stage import Served, Stage

LIMIT = Limit(20, 10)
LIMITED = Request("/limited")
REQUESTS, EVERY_S = 60, 0.04
SLOW_S = 1.0
WARM_S = 2.0
PATIENCE_S = 4.0
EXPECTED = (
    f"It has served for {WARM_S:.0f} s. All {REQUESTS} requests, {1 / EVERY_S:.0f} a second, are answered within "
    f"{SLOW_S:.0f} s and without a 5xx; some pass, and no more than {2 * LIMIT.count}: twice what {LIMIT.seconds} s "
    "allow, the most that a documented algorithm lets through at a change of windows."
)
SOURCE = (
    "https://sre.google/sre-book/addressing-cascading-failures/ (graceful degradation, deadlines); the limit itself is "
    "each library's own promise"
)


def warmed(stage: Stage) -> Served:
    """A server that has answered two requests, two seconds apart: it is connected, and its start is over."""
    return warmed_servers(stage, 1)[0]


def warmed_servers(stage: Stage, count: int) -> list[Served]:
    """So many of them."""
    servers = [stage.serve() for _ in range(count)]
    paced([served.url for served in servers], LIMITED, 2 * count, WARM_S / count, PATIENCE_S)
    return servers


def during(*servers: Served, requests: int = REQUESTS) -> Cell:
    """Ask, and judge."""
    answers = paced([served.url for served in servers], LIMITED, requests, EVERY_S, PATIENCE_S)
    return judged(answers, LIMIT)


def judged(answers: Sequence[Answer], limit: Limit) -> Cell:
    """Whether it answers in time and still limits."""
    seen, passed = told(answers), sum(answer.succeeded for answer in answers)
    if any(answer.said == HUNG for answer in answers):
        return failed(f"{seen}, stopped by us")
    if not all(answer.fine for answer in answers) or any(answer.seconds > SLOW_S for answer in answers):
        return failed(seen)
    if passed > 2 * limit.count:
        return failed(f"{seen}; no limit" if passed == len(answers) else f"{seen}; {passed} passed")
    return held(seen) if passed else failed(f"{seen}; nobody passed")

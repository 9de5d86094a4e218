"""A request that costs more than the limit ever has."""

from __future__ import annotations

from tests.scoreboard.asking import Request, at_once, told
from tests.scoreboard.cell import Cell, Situation, judged
from tests.scoreboard.place import Limit
from tests.scoreboard.stage import Stage

_LIMIT = Limit(10, 60, costs=True)
_PATIENCE_S = 5.0


def _run(stage: Stage) -> Cell:
    served = stage.serve()
    costly = at_once([served.url], Request(f"/limited?cost={_LIMIT.count + 1}"), 3, _PATIENCE_S)
    cheap = at_once([served.url], Request("/limited"), 1, _PATIENCE_S)
    refused = all(answer.fine and not answer.succeeded for answer in costly)
    return judged(f"{told(costly)}; then 1 unit: {cheap[0].said}", fine=refused and cheap[0].succeeded)


SITUATIONS = (
    Situation(
        "cost above the limit",
        f"Three requests that cost {_LIMIT.count + 1} of {_LIMIT.count} are refused at once (4xx) and charged nothing: "
        "one that costs 1 passes after them.",
        "https://pyratelimiter.readthedocs.io (an item's units fit all or none)",
        _run,
        _LIMIT,
    ),
)

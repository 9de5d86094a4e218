"""Two callers with their credentials ask for one URL, whose response differs by them."""

from __future__ import annotations

from tests.scoreboard.asking import ask
from tests.scoreboard.cache.things import RFC_9111, thing_for
from tests.scoreboard.cell import Cell, Situation, failed, judged
from tests.scoreboard.stage import Stage


def _run(stage: Stage) -> Cell:
    served = stage.serve()
    first, other = (ask(served.url, thing_for(caller)) for caller in ("alice", "mallory"))
    if not (first.succeeded and other.succeeded):
        return failed(f"{first.said}, {other.said}")
    own = other.body["for"] == "Bearer mallory"
    return judged("each got his own" if own else f"{other.said} with another's body", fine=own)


SITUATIONS = (
    Situation(
        "another credential, same URL",
        "A response that was made for one `Authorization` isn't given to another.",
        f"{RFC_9111}#section-3.5",
        _run,
        per_caller=True,
    ),
)

"""What one warm request asks the stores."""

from __future__ import annotations

from itertools import islice

from tests.scoreboard.asking import ask
from tests.scoreboard.cell import Cell, Situation, Verdict, failed
from tests.scoreboard.cost.paths import LIMIT, requests
from tests.scoreboard.stage import Stage

_WARM, _COUNTED = 10, 20


def _run(stage: Stage) -> Cell:
    served = stage.serve()
    asked = requests(stage.family)
    warm = [ask(served.url, request) for request in islice(asked, _WARM)]
    stage.to_redis.reset_counts()
    stage.to_dynamo.reset_counts()
    counted = [ask(served.url, request) for request in islice(asked, _COUNTED)]
    if not all(answer.succeeded for answer in (*warm, *counted)):
        return failed(f"answered {counted[-1].said}")
    said = [
        f"{way.round_trips / _COUNTED:.1f} to {name}"
        for name, way in (("Redis", stage.to_redis), ("DynamoDB", stage.to_dynamo))
        if way.round_trips
    ]
    return Cell(Verdict.MEASURED, ", ".join(said) or "none over the network")


SITUATIONS = (
    Situation(
        "round trips",
        f"Round trips to the stores of one warm request, on average of {_COUNTED}.",
        "counted by the proxies before them",
        _run,
        LIMIT,
    ),
)

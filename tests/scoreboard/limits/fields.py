"""Whether the fields of the draft are there and can be read by a parser of structured fields that isn't ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import http_sf

from tests.scoreboard.asking import Answer, Request, at_once
from tests.scoreboard.cell import Cell, Situation, failed, held
from tests.scoreboard.place import Limit, NotOfferedError
from tests.scoreboard.stage import Stage

_LIMIT = Limit(3, 60)
_DRAFT = "https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-ratelimit-headers-10"
# Parameters by field: the required one, and the other whole numbers that it may have.
_PARAMETERS = {"ratelimit-policy": ("q", ("q", "w")), "ratelimit": ("r", ("r", "t"))}


def _run(stage: Stage) -> Cell:
    served = stage.serve()
    answers = at_once([served.url], Request("/limited"), 6, 10.0)
    passed = next((answer for answer in answers if answer.succeeded), None)
    refused = next((answer for answer in answers if answer.said == 429), None)
    if passed is None or refused is None:
        return failed("not both a 200 and a 429 were seen")
    if not any(name in answer.fields for answer in (passed, refused) for name in _PARAMETERS):
        others = sorted(name for name in passed.fields if "ratelimit" in name.replace("-", ""))
        raise NotOfferedError(f"older fields: {', '.join(others)}" if others else "no such fields")
    wrong = [f"{answer.said}: {what}" for answer in (passed, refused) for what in _wrong(answer)]
    return failed("; ".join(wrong)) if wrong else held(f"RateLimit: {passed.fields['ratelimit']}")


def _wrong(answer: Answer) -> list[str]:
    found = []
    for name, (required, numbers) in _PARAMETERS.items():
        if name not in answer.fields:
            found.append(f"no {name}")
            continue
        try:
            members: Any = http_sf.parse(answer.fields[name].encode(), tltype="list")
        except ValueError as error:
            found.append(f"{name}: {error}")
            continue
        found += [
            f"{name}: {value} {dict(told)}" for value, told in members if not _well(value, told, required, numbers)
        ]
    return found


def _well(value: Any, parameters: Mapping[str, Any], required: str, numbers: tuple[str, ...]) -> bool:
    whole = all(isinstance(parameters[name], int) and parameters[name] >= 0 for name in numbers if name in parameters)
    return isinstance(value, str) and required in parameters and whole


SITUATIONS = (
    Situation(
        "RateLimit fields",
        "A 200 and a 429 carry `RateLimit` and `RateLimit-Policy`, which http-sf reads as lists of named policies with "
        "`q` and `r`, and `w` and `t` as whole numbers where they stand.",
        _DRAFT,
        _run,
        _LIMIT,
    ),
)

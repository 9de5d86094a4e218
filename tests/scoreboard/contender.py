"""What a contender is: a row of the scoreboard, and how its application is made."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tests.scoreboard.place import Family, Place

if TYPE_CHECKING:
    from fastapi import FastAPI

Group = Literal["limits", "redis-8", "fastapi-cache2", "fastapi-idempotency"]


@dataclass(frozen=True)
class Contender:
    """A library in one of its documented set-ups.

    Attributes:
        name: the row.
        distribution: whose version is printed.
        documentation: where the set-up is recommended.
        families: what it offers.
        app: makes the application, on the event loop that serves it: `GET /limited`, `POST /orders` or
            `GET /things/NAME`, by the place's family.
        group: the requirements that it is installed from (`tests/scoreboard/requirements/`); None: the checkout's own.
        claims_in: which store holds its claims.
    """

    name: str
    distribution: str
    documentation: str
    families: tuple[Family, ...]
    app: Callable[[Place], FastAPI | Awaitable[FastAPI]]
    group: Group | None
    claims_in: Literal["redis", "dynamodb", "file"] = "redis"

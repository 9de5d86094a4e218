"""What a contender's process is told: where its stores are, and what it is asked for."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, Self

Family = Literal["limits", "idempotency", "cache"]
VARIABLE = "SCOREBOARD_PLACE"


class NotOfferedError(Exception):
    """A contender has no such feature; the text says which."""


@dataclass(frozen=True)
class Limit:
    """A limit for each client address.

    Attributes:
        count, seconds: so many in so many seconds.
        burst: what may come at once, if that is another number; a contender without such a number doesn't offer it.
        exact: whether no window of that length may hold more; else the algorithm is the contender's own choice.
        costs: whether a request says what it costs, by the query parameter `cost`.
    """

    count: int
    seconds: int
    burst: int | None = None
    exact: bool = False
    costs: bool = False


DEFAULT_LIMIT = Limit(20, 10)


@dataclass(frozen=True)
class Place:
    """Everything that a contender's application is made from.

    Attributes:
        family: the one mechanism that is asked for.
        redis_url: the Redis.
        dynamodb_url, table: the DynamoDB and a table there, partition key `pk`.
        folder: where the application's effects are written, and where files tell it how to behave (`Origin`).
        limit: what `GET /limited` is limited to.
        lease_s: for how long a claim stands whose holder fell silent, where a contender can be told.
        ttl_s: how long a response of `GET /things/NAME` is fresh.
        origin_s: what making it takes.
        per_caller: whether that response differs by the request's `Authorization`.
    """

    family: Family
    redis_url: str
    dynamodb_url: str
    table: str
    folder: str
    limit: Limit = DEFAULT_LIMIT
    lease_s: int = 25
    ttl_s: int = 600
    origin_s: float = 0.0
    per_caller: bool = False

    @classmethod
    def told(cls) -> Self:
        """The place that the environment variable names."""
        said = json.loads(os.environ[VARIABLE])
        return cls(**(said | {"limit": Limit(**said["limit"])}))

    @property
    def names(self) -> Path:
        """The folder of the names whose lookup hangs."""
        return Path(self.folder) / "names"

    @property
    def clock(self) -> Path:
        """The file that says by how many seconds the process's wall clock is off."""
        return Path(self.folder) / "clock"

    def variables(self) -> dict[str, str]:
        """The environment variable that tells it."""
        return {VARIABLE: json.dumps(asdict(self))}

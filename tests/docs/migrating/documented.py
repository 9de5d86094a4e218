"""What the list of a peer's documented examples is made of."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from fastapi.testclient import TestClient

from tidegate import Settings


@dataclass(frozen=True, kw_only=True)
class Documented:
    """One documented example, and what it is with Tidegate.

    Attributes:
        peer: the library.
        shows: what the example shows.
        rewritten: runs the rewritten example and asserts; None: it can't be had.
        instead: why it can't be had, and what there is instead.
    """

    peer: str
    shows: str
    rewritten: Callable[[Settings], None] | None = None
    instead: str = ""


SOURCES = {
    "slowapi": "https://github.com/laurentS/slowapi/blob/master/docs/examples.md",
    "fastapi-limiter": "https://github.com/long2ice/fastapi-limiter/blob/0330c64d3d13413835cd8605b805e601c6418c7a/README.md",
    "limits": "https://github.com/alisaifee/limits/blob/052f26fa3a3a86a1b1aff5df78300fdc13d6a5e4/README.rst",
    "fastapi-cache2": "https://github.com/long2ice/fastapi-cache/blob/030af885677394e2e9314f3fe5347bca835242d5/README.md",
    "cashews": "https://github.com/Krukov/cashews/blob/02855c9e375fa11048f2d44612be268068c4a1f6/Readme.md",
    "powertools": "https://github.com/aws-powertools/powertools-lambda-python/tree/develop/examples/idempotency/src",
    "fastapi-redis-sdk": "https://redis.github.io/fastapi-redis-sdk/latest/getting-started/quick-start/",
}


def statuses(app: FastAPI, *paths: str, **how: Any) -> list[int]:
    """The statuses of GETs, in order."""
    with TestClient(app) as client:
        return [client.get(path, **how).status_code for path in paths]

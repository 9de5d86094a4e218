"""Clients: one request, or many at a steady pace, each with what became of it and when."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

HUNG = "hung"
# Processes are asked as those behind one load balancer are: by one name.
_HOST = {"Host": "api.example"}


@dataclass(frozen=True)
class Answer:
    """What a client got.

    Attributes:
        said: the status; `hung` if there was none when it was given up; else the error's name.
        sent, received: seconds of the monotonic clock.
        fields: the response's fields.
        body: its JSON; None if it is none.
    """

    said: int | str
    sent: float
    received: float
    fields: Mapping[str, str] = field(default_factory=dict)
    body: Any = None

    @property
    def seconds(self) -> float:
        """How long the client waited."""
        return self.received - self.sent

    @property
    def fine(self) -> bool:
        """Whether it was a response, and no error of the server's."""
        return isinstance(self.said, int) and self.said < 500

    @property
    def succeeded(self) -> bool:
        """Whether it was a 2xx."""
        return isinstance(self.said, int) and 200 <= self.said < 300


@dataclass(frozen=True)
class Request:
    """What is asked for."""

    path: str
    method: str = "GET"
    fields: Mapping[str, str] = field(default_factory=dict)
    json: Any = None


def ask(url: str, request: Request, patience_s: float = 10.0) -> Answer:
    """Ask once."""
    [answer] = asyncio.run(_paced([url], request, 1, 0.0, patience_s))
    return answer


def at_once(urls: Sequence[str], request: Request, count: int, patience_s: float) -> list[Answer]:
    """Ask so many times at the same moment, in turns of the servers; none is waited for beyond the patience."""
    return asyncio.run(_paced(urls, request, count, 0.0, patience_s))


def paced(urls: Sequence[str], request: Request, count: int, every_s: float, patience_s: float) -> list[Answer]:
    """Ask at a steady pace, whatever becomes of the requests before (an open loop), in turns of the servers."""
    return asyncio.run(_paced(urls, request, count, every_s, patience_s))


def told(answers: Sequence[Answer]) -> str:
    """Counts by what was said, and the slowest: `200 on 20, 429 on 40; slowest 12 ms`."""
    counts = Counter(answer.said for answer in answers)
    parts = [f"{said} on {count}" for said, count in sorted(counts.items(), key=lambda item: str(item[0]))]
    return f"{', '.join(parts)}; slowest {duration(max(answer.seconds for answer in answers))}"


def duration(seconds: float) -> str:
    """A time that a reader takes in at once."""
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"


def times(count: int) -> str:
    """How often something happened."""
    return {0: "not", 1: "once", 2: "twice"}.get(count, f"{count} times")


async def _paced(urls: Sequence[str], request: Request, count: int, every_s: float, patience_s: float) -> list[Answer]:
    # A connection each: a server that fails closes what it had, and another request's error would be counted for it.
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
    began = time.monotonic()
    async with httpx.AsyncClient(timeout=None, limits=limits, trust_env=False) as client:
        asked = []
        for number in range(count):
            await asyncio.sleep(max(0.0, began + number * every_s - time.monotonic()))
            asked.append(asyncio.ensure_future(_ask(client, urls[number % len(urls)], request, patience_s)))
        return await asyncio.gather(*asked)


async def _ask(client: httpx.AsyncClient, url: str, request: Request, patience_s: float) -> Answer:
    sent = time.monotonic()
    try:
        call = client.request(
            request.method, url + request.path, headers={**_HOST, **request.fields}, json=request.json
        )
        response = await asyncio.wait_for(call, patience_s)
    except TimeoutError:
        return Answer(HUNG, sent, time.monotonic())
    except httpx.HTTPError as error:
        return Answer(type(error).__name__, sent, time.monotonic())
    return Answer(response.status_code, sent, time.monotonic(), dict(response.headers), _json(response))


def _json(response: httpx.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        return None

"""Clients of the deployed API: each flow asks at a steady rate whether or not it is answered; every answer is noted."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count
from types import TracebackType
from typing import Any, Literal, Self

import httpx

from tidegate_local.scenarios.answers import Answer, who_answered
from tidegate_local.state import LocalState

_PATIENCE_S = 30.0
Criticality = Literal["critical", "normal", "sheddable"]


@dataclass(frozen=True)
class Asking:
    """One request; `about` is what it has in common with its retries, such as an idempotency key."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    json: Any = None
    about: str = ""


def _nothing(_: httpx.Response) -> str:
    return ""


@dataclass(frozen=True)
class RateLimit:
    """A limit of the application's on each key: requests per second, and how many at once."""

    per_s: float
    burst: int


@dataclass(frozen=True)
class Flow:
    """Requests of one sort: so many a second under the key of a tier (None: without a key).

    `asking` makes the request of a turn (0, 1, …); `reads` takes out of an answer what is noted of it; at most `most`
    wait for an answer at once, and what would be beyond is not sent. `criticality` is what its requests have by their
    routes and headers, `limit` the one that it is held against.
    """

    name: str
    tier: str | None
    per_s: float
    asking: Callable[[int], Asking]
    reads: Callable[[httpx.Response], str] = _nothing
    most: int = 6
    criticality: Criticality = "normal"
    limit: RateLimit | None = None


class Traffic:
    """Runs flows in a thread of their own, from `with` to its end; what waits then is still answered.

    `answers` may be read at any time; `not_sent` counts by flow what found all of its connections waiting; `writes` are
    the requests that have retries, with their flows, by what they are about.
    """

    def __init__(self, state: LocalState, flows: Sequence[Flow]) -> None:
        self.answers: list[Answer] = []
        self.not_sent: Counter[str] = Counter()
        self.writes: dict[str, tuple[Flow, Asking]] = {}
        self._state = state
        self._flows = flows
        self._stop = asyncio.Event()
        self._pool = ThreadPoolExecutor(1, "traffic")
        self._loop: Future[asyncio.AbstractEventLoop] = Future()
        self._running: Future[None] | None = None

    def __enter__(self) -> Self:
        self._running = self._pool.submit(asyncio.run, self._run())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        running = self._running
        if running is None:
            return
        self._loop.result().call_soon_threadsafe(self._stop.set)
        running.result()
        self._pool.shutdown()

    async def _run(self) -> None:
        self._loop.set_result(asyncio.get_running_loop())
        limits = httpx.Limits(max_connections=sum(flow.most for flow in self._flows))
        async with (
            httpx.AsyncClient(limits=limits, timeout=_PATIENCE_S, trust_env=False) as http,
            asyncio.TaskGroup() as flows,
        ):
            for flow in self._flows:
                flows.create_task(self._flow(http, flow))

    async def _flow(self, http: httpx.AsyncClient, flow: Flow) -> None:
        loop, waiting = asyncio.get_running_loop(), set[asyncio.Task[None]]()
        due = loop.time()
        async with asyncio.TaskGroup() as asked:
            for turn in count():
                if await self._stopped(due - loop.time()):
                    return
                due += 1 / flow.per_s
                if len(waiting) >= flow.most:
                    self.not_sent[flow.name] += 1
                    continue
                waiting.add(task := asked.create_task(self._ask(http, flow, turn)))
                task.add_done_callback(waiting.discard)

    async def _stopped(self, within_s: float) -> bool:
        try:
            await asyncio.wait_for(self._stop.wait(), max(0.0, within_s))
        except TimeoutError:
            return False
        return True

    async def _ask(self, http: httpx.AsyncClient, flow: Flow, turn: int) -> None:
        asking = flow.asking(turn)
        if asking.about:
            self.writes[asking.about] = flow, asking
        headers = {**asking.headers, **({"x-api-key": self._state.key(flow.tier)} if flow.tier else {})}
        at, began = time.time(), time.perf_counter()
        try:
            got = await http.request(
                asking.method, self._state.api_url + asking.path, headers=headers, json=asking.json
            )
        except httpx.HTTPError as error:
            came: tuple[int | None, str, str] = (None, "nobody", type(error).__name__)
        else:
            came = (got.status_code, who_answered(got), flow.reads(got))
        took_ms = (time.perf_counter() - began) * 1000
        status, by, said = came
        self.answers.append(Answer(at, took_ms, flow.name, flow.tier or "", status, by, asking.about, said))

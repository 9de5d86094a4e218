"""The clients: as most are, with backoff alone, and Tidegate's own decisions, all on the simulated clock."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Protocol

import httpx

from tests.simulation.retry_storm_world import WIRE_S, Job, Plan, Server, World
from tidegate import deadline
from tidegate.client import Conduct, Hosts, NotSentError
from tidegate.client.backoff import Backoff
from tidegate.client.exchange import Exchange

_TRIES = 4
_URL = "http://api.test/v1/products"


class Attempts(Protocol):
    """One request with its attempts, as `tidegate.client.exchange` decides on it."""

    def reserve_s(self) -> float: ...
    def attempt(self) -> httpx.Request: ...
    def answered(self, response: httpx.Response) -> float | None: ...
    def failed(self, fault: httpx.TransportError) -> float | None: ...


class Plain:
    """Three retries, each after a pause that has no memory; `naive`: at once."""

    def __init__(self, request: httpx.Request, pause_s: Callable[[int], float]) -> None:
        self._request, self._pause_s, self._sent = request, pause_s, 0

    def reserve_s(self) -> float:
        return 0.0

    def attempt(self) -> httpx.Request:
        self._sent += 1
        return self._request

    def answered(self, response: httpx.Response) -> float | None:
        return None if response.status_code == 200 else self._again()

    def failed(self, fault: httpx.TransportError) -> float | None:
        return self._again()

    def _again(self) -> float | None:
        return self._pause_s(self._sent - 1) if self._sent < _TRIES else None


class Tally:
    """Of the requests that began in each second: how many there were, and how many were answered."""

    def __init__(self) -> None:
        self.begun: Counter[int] = Counter()
        self.served: Counter[int] = Counter()
        self.useful: Counter[int] = Counter()  # by the second of the answer


class Fleet:
    """Many client processes that ask at random, each with its own memory of the server.

    Args:
        kind: `naive`, `backoff` or `tidegate`.
    """

    def __init__(self, kind: str, world: World, server: Server, plan: Plan, seed: int) -> None:
        self._world, self._server, self._plan = world, server, plan
        self._random = Random(f"{seed} arrivals")
        self.tally = Tally()
        self._kinds = [self._kind(kind, Random(f"{seed} {number}")) for number in range(plan.clients)]

    def start(self) -> None:
        self._world.after(self._random.expovariate(self._plan.demand), self._arrive)

    def _arrive(self) -> None:
        if self._world.now_s < self._plan.end_s:
            self.start()
            _Call(self._random.choice(self._kinds), self._world, self._server, self._plan, self.tally).begin()

    def _kind(self, kind: str, random: Random) -> Callable[[httpx.Request], Attempts]:
        if kind == "tidegate":
            hosts = Hosts(Conduct(deadline_s=self._plan.deadline_s, attempts=_TRIES), clock=self._world, random=random)
            return lambda request: Exchange(request, hosts)
        backoff = Backoff()
        pause_s = (lambda _: 0.0) if kind == "naive" else (lambda retry: backoff.pause_s(retry, random))
        return lambda request: Plain(request, pause_s)


class _Call:
    """A request under way: what a transport does, in events."""

    def __init__(
        self, kind: Callable[[httpx.Request], Attempts], world: World, server: Server, plan: Plan, tally: Tally
    ) -> None:
        self._kind, self._world, self._server, self._plan, self._tally = kind, world, server, plan, tally
        self._begun = int(world.now_s)

    def begin(self) -> None:
        self._tally.begun[self._begun] += 1
        timeouts = dict.fromkeys(("connect", "read", "write", "pool"), self._plan.timeout_s)
        try:
            self._attempts = self._kind(httpx.Request("GET", _URL, extensions={"timeout": timeouts}))
        except NotSentError:
            return
        self._try()

    def _try(self) -> None:
        try:
            wait_s = self._attempts.reserve_s()
        except NotSentError:
            return
        if wait_s:
            self._world.after(wait_s, self._try)
        else:
            self._send(self._attempts.attempt())

    def _send(self, request: httpx.Request) -> None:
        over: list[bool] = []
        left_ms = deadline.parse_ms(request.headers.get(deadline.FIELD.decode()))
        until_s = None if left_ms is None else self._world.now_s + left_ms / 1000
        job = Job(lambda status: self._world.after(WIRE_S, lambda: self._answered(status, over)), until_s)
        self._world.after(WIRE_S, lambda: self._server.receive(job))
        self._world.after(request.extensions["timeout"]["read"], lambda: self._gave_up(over))

    def _answered(self, status: int, over: list[bool]) -> None:
        if over:
            return
        over.append(True)
        if status == 200:
            self._tally.served[self._begun] += 1
            self._tally.useful[int(self._world.now_s)] += 1
        self._again(self._attempts.answered(httpx.Response(status)))

    def _gave_up(self, over: list[bool]) -> None:
        if not over:
            over.append(True)
            self._again(self._attempts.failed(httpx.ReadTimeout("simulated")))

    def _again(self, pause_s: float | None) -> None:
        if pause_s is not None:
            self._world.after(pause_s, self._try)

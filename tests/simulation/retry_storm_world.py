"""A server with a capacity and a queue, on a simulated clock; it goes out, and comes back to what has piled up."""

from __future__ import annotations

import heapq
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Literal

Outage = Literal["refuses", "hangs"]
Then = Callable[[], None]

WIRE_S = 0.002


class World:
    """The time, and what happens when; it is the clients' clock, too."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self._number = 0
        self._events: list[tuple[float, int, Then]] = []

    def monotonic(self) -> float:
        return self.now_s

    def wall_us(self) -> int:
        return round(self.now_s * 1_000_000)

    def after(self, seconds: float, then: Then) -> None:
        self._number += 1
        heapq.heappush(self._events, (self.now_s + seconds, self._number, then))

    def run(self) -> None:
        while self._events:
            self.now_s, _, then = heapq.heappop(self._events)
            then()


@dataclass(frozen=True)
class Plan:
    """How much is asked of how large a server, and when it is out; `capacity` and `demand` are a second's requests."""

    clients: int = 200
    demand: float = 140.0
    workers: int = 20
    service_s: float = 0.1
    queue: int = 1000
    timeout_s: float = 1.0
    deadline_s: float = 5.0
    healthy_s: int = 60
    outage_s: int = 60
    after_s: int = 180

    @property
    def capacity(self) -> float:
        return self.workers / self.service_s

    @property
    def back_s(self) -> int:
        return self.healthy_s + self.outage_s

    @property
    def end_s(self) -> int:
        return self.back_s + self.after_s


@dataclass(frozen=True)
class Job:
    """A request at the server; `until_s`: when its client stops waiting, if it says so."""

    answer: Callable[[int], None]
    until_s: float | None


class Server:
    """Works on so many requests at once, first come first served, and doesn't see that a client has gone.

    Args:
        reads_deadlines: whether it drops what nobody waits for any more, as the field says, when its turn comes.
    """

    def __init__(self, world: World, plan: Plan, random: Random, *, reads_deadlines: bool) -> None:
        self._world, self._plan, self._random = world, plan, random
        self._reads_deadlines = reads_deadlines
        self._free = plan.workers
        self._queue: deque[Job] = deque()
        self._stuck: list[Job] = []
        self.out: Outage | None = None
        self.offered: Counter[int] = Counter()

    def receive(self, job: Job) -> None:
        self.offered[int(self._world.now_s)] += 1
        if self.out == "refuses" or len(self._queue) >= self._plan.queue:
            job.answer(503)
            return
        self._queue.append(job)
        self._work()

    def go_out(self, how: Outage) -> None:
        self.out = how

    def come_back(self) -> None:
        self.out = None
        stuck, self._stuck = self._stuck, []
        for job in stuck:
            self._finish(job)
        self._work()

    def _work(self) -> None:
        while self._free and self._queue and self.out != "hangs":
            job = self._queue.popleft()
            if self._reads_deadlines and job.until_s is not None and job.until_s <= self._world.now_s:
                continue
            self._free -= 1
            self._world.after(self._random.uniform(0.5, 1.5) * self._plan.service_s, lambda job=job: self._finish(job))

    def _finish(self, job: Job) -> None:
        if self.out == "hangs":
            self._stuck.append(job)
            return
        self._free += 1
        job.answer(200)
        self._work()

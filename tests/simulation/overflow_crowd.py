"""One caller queues thousands; what that does to the others' waits: python -m tests.simulation.overflow_crowd

SQS and Lambda are simulated as AWS describes them: a FIFO queue fills a batch with one group's messages first, and
hands out nothing of a group while a batch has some of it. The order within a batch is the worker's own code.
"""

from __future__ import annotations

import argparse
import asyncio
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from statistics import quantiles

from tests.client.simulated_network import SimulatedLoop, SimulatedTime
from tidegate.overflow.turns import Line, take_in_turn
from tidegate.overflow.worker import PATIENCE_US

BATCH = 10
SHORTEST_ABSENCE_S = 4.0  # of messages that wait an hour at most
CROWD = "crowd"


@dataclass(frozen=True)
class Plan:
    """Who queues how much; `rate_per_s` is each caller's limit, `run_s` what a run takes."""

    crowd: int = 5000
    others: int = 20
    every_s: float = 10.0
    rate_per_s: float = 2.0
    run_s: float = 0.05
    workers: int = 10
    timeout_s: float = 60.0
    lasts_s: int = 120


@dataclass
class Queued:
    """One message."""

    group: str
    number: int
    sent_s: float


@dataclass
class Fifo:
    """A FIFO queue of SQS's."""

    now_s: Callable[[], float]
    messages: deque[Queued] = field(default_factory=deque)
    held: Counter[str] = field(default_factory=Counter)
    away_until_s: dict[str, float] = field(default_factory=dict)

    def receive(self) -> list[Queued]:
        """A batch: as many of one group as there are, then of the next."""
        free: dict[str, list[Queued]] = {}
        for message in self.messages:
            if not self.held[message.group] and self.away_until_s.get(message.group, 0.0) <= self.now_s():
                free.setdefault(message.group, []).append(message)
                if len(free[next(iter(free))]) >= BATCH:
                    break
        batch = [message for group in free.values() for message in group][:BATCH]
        for message in batch:
            self.messages.remove(message)
            self.held[message.group] += 1
        return batch

    def give_back(self, messages: list[Queued], absence_s: float) -> None:
        """Let what is left of a group come again, in its place."""
        for message in reversed(messages):
            self.messages.appendleft(message)
            self.away_until_s[message.group] = self.now_s() + absence_s

    def done(self, messages: list[Queued]) -> None:
        self.held.subtract(message.group for message in messages)


class Crowd:
    """One run of a plan.

    Args:
        plan: what is queued.
        seed: when the others come.
    """

    def __init__(self, plan: Plan, seed: int) -> None:
        self._plan = plan
        self._random = Random(seed)
        self._time = SimulatedTime()
        self._began_s = self._time.now_s
        self._loop = SimulatedLoop(self._time)
        self._queue = Fifo(self._time.monotonic)
        self._free_at_s: dict[str, float] = {}
        self.waits_s: list[float] = []
        self.crowd_run = 0

    def play(self) -> None:
        """Play it to its end."""
        self._loop.run_until_complete(self._play())
        self._loop.close()

    async def _play(self) -> None:
        now_s = self._time.now_s
        self._queue.messages.extend(Queued(CROWD, number, now_s) for number in range(self._plan.crowd))
        tasks = [self._other(f"other-{number}") for number in range(self._plan.others)]
        workers = [asyncio.ensure_future(self._work()) for _ in range(self._plan.workers)]
        await asyncio.gather(*tasks)
        await asyncio.sleep(30)
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)

    async def _other(self, name: str) -> None:
        number = 0
        while self._time.now_s < self._began_s + self._plan.lasts_s:
            await asyncio.sleep(self._random.expovariate(1 / self._plan.every_s))
            self._queue.messages.append(Queued(name, number, self._time.now_s))
            number += 1

    async def _work(self) -> None:
        while True:
            batch = self._queue.receive()
            if batch:
                await self._invoke(batch)
            else:
                await asyncio.sleep(0.05)

    async def _invoke(self, batch: list[Queued]) -> None:
        ends_s = self._time.now_s + self._plan.timeout_s * 2 / 3
        lines: dict[str, Line[Queued]] = {}
        for message in batch:
            lines.setdefault(message.group, Line()).messages.append(message)
        await take_in_turn(lines.values(), self._attempt, PATIENCE_US, lambda: self._time.now_s > ends_s)
        for line in lines.values():
            absence_s = max(SHORTEST_ABSENCE_S, (line.absence_us or 0) / 1_000_000) if line.absence_us else 0.0
            self._queue.give_back(list(line.messages), absence_s)
        self._queue.done(batch)

    async def _attempt(self, message: Queued) -> int | None:
        wait_s = self._free_at_s.get(message.group, 0.0) - self._time.now_s
        if wait_s > 1e-9:
            return int(wait_s * 1_000_000) + 1
        self._free_at_s[message.group] = self._time.now_s + 1 / self._plan.rate_per_s
        if message.group == CROWD:
            self.crowd_run += 1
        else:
            self.waits_s.append(self._time.now_s - message.sent_s)
        await asyncio.sleep(self._plan.run_s)
        return None


def measured(plan: Plan, seed: int = 1) -> tuple[float, float, float, int]:
    """Return the others' median wait, 95th and 99th percentile in seconds, and how many of the crowd's have run."""
    crowd = Crowd(plan, seed)
    crowd.play()
    cuts = quantiles(crowd.waits_s, n=100)
    return cuts[49], cuts[94], cuts[98], crowd.crowd_run


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--crowd", type=int, default=Plan.crowd)
    parser.add_argument("--seed", type=int, default=1)
    said = parser.parse_args()
    print("| workers | queued by one caller | others' wait p50 | p95 | p99 | of the crowd's run |")  # noqa: T201
    print("|---:|---:|---:|---:|---:|---:|")  # noqa: T201
    for workers in (10, 2):
        for crowd in (0, said.crowd):
            p50, p95, p99, run = measured(Plan(crowd=crowd, workers=workers), said.seed)
            print(f"| {workers} | {crowd:,} | {p50:.2f} s | {p95:.2f} s | {p99:.2f} s | {run} |")  # noqa: T201


if __name__ == "__main__":
    main()

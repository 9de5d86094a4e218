"""Clients that come at a rate of their own, whether or not they are answered, and what becomes of each."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tests.harness.lambda_events import rest_event
from tests.scenarios.storm_fleet import Fleet
from tidegate.criticality import Criticality

Outcome = Literal["served", "shed", "limited", "turned away", "too late", "failed"]
MIX: dict[Criticality, float] = {"critical": 0.05, "normal": 0.35, "sheddable": 0.6}
_BY_STATUS: dict[int, Outcome] = {200: "served", 503: "shed", 429: "limited"}


@dataclass(frozen=True)
class Asked:
    """One request.

    Attributes:
        came_s, ended_s: when it came and was answered or given up, in seconds of the run.
        criticality: how dear it was.
        outcome: what became of it; `turned away` by the full queue, `too late` for its client's patience.
    """

    came_s: float
    ended_s: float
    criticality: Criticality
    outcome: Outcome

    @property
    def took_s(self) -> float:
        return self.ended_s - self.came_s


class Clients:
    """Sends requests into a fleet, and keeps what became of them.

    Args:
        fleet: who answers.
        principals: how many different clients there are.
        patience_s: how long each waits.
        seed: makes a run's requests the same as another's.
    """

    def __init__(self, fleet: Fleet, principals: int, patience_s: float, seed: int = 1) -> None:
        self._fleet = fleet
        self._principals = principals
        self._patience_s = patience_s
        self._random = random.Random(seed)
        self._began = time.monotonic()
        self._waiting: set[asyncio.Task[None]] = set()
        self.asked: list[Asked] = []

    @property
    def now_s(self) -> float:
        """Seconds of the run."""
        return time.monotonic() - self._began

    async def come(self, per_second: float, seconds: float) -> None:
        """Come at random moments at that rate (a Poisson process), and return after so many seconds."""
        next_s, ends_s = self.now_s, self.now_s + seconds
        while (next_s := next_s + self._random.expovariate(per_second)) < ends_s:
            if next_s > self.now_s:
                await asyncio.sleep(next_s - self.now_s)
            self._waiting.add(task := asyncio.create_task(self._ask()))
            task.add_done_callback(self._waiting.discard)
        await asyncio.sleep(max(0.0, ends_s - self.now_s))

    async def ended(self) -> None:
        """Wait until everyone is answered, or has given up."""
        await asyncio.gather(*self._waiting)

    async def _ask(self) -> None:
        came_s = self.now_s
        criticality = self._random.choices(tuple(MIX), tuple(MIX.values()))[0]
        principal = f"client-{self._random.randrange(self._principals)}"
        answer = self._fleet.send(rest_event("GET", f"/{criticality}", api_key_id=principal))
        outcome: Outcome = "turned away"
        if answer is not None:
            done, _ = await asyncio.wait([answer], timeout=self._patience_s)
            outcome = _BY_STATUS.get(answer.result()["statusCode"], "failed") if done else "too late"
        self.asked.append(Asked(came_s, self.now_s, criticality, outcome))


def percentile_s(asked: Sequence[Asked], share: float) -> float:
    """Return a percentile of what requests took; seconds."""
    took = sorted(one.took_s for one in asked)
    return took[min(len(took) - 1, int(share * len(took)))] if took else 0.0

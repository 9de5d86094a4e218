"""An environment's health, and checks that are safe on a public route.

A health route is open to all. So its checks of stores and dependencies run one at a time and at most once a second,
however many requests come ("single flight", and a report that is kept for a second).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import Context
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Generic, Literal, TypeVar

from tidegate.clock import Clock, SystemClock
from tidegate.failover.breaker import BreakerState
from tidegate.failover.circuit import ShadowCounts, StoreState
from tidegate.settings import Mode

Report = TypeVar("Report")

KEPT_S = 1.0


# Dataclasses, not named tuples: an application returns them, and FastAPI would make lists of the latter.
@dataclass(frozen=True, slots=True)
class StoreHealth:
    """A store as `/health` shows it.

    Attributes:
        name: `redis` or `dynamodb`.
        state: `untried`, `ready` or `failing`.
        breaker: `closed`, `open` or `half-open`.
        since: when this state began, ISO 8601 in UTC.
        latency_ms: how long its latest answer took; None if it failed.
        error: the class of the fault; None if it is well. The driver's message is only in the log, since it may contain
            addresses, and health is often public.
        shadow: for a fallback, the counts of its shadow decisions.
    """

    name: str
    state: Literal["untried", "ready", "failing"]
    breaker: BreakerState
    since: str
    latency_ms: float | None
    error: str | None
    shadow: ShadowCounts | None = None


@dataclass(frozen=True, slots=True)
class Health:
    """An environment's health.

    Attributes:
        status: `ok`; `degraded` while a fallback decides; `down` if no configured store answers.
        deciding: the store that decides now.
        stores: each shared store, the preferred one first.
        mode: which stores are configured (see `startup.mode`).
    """

    status: Literal["ok", "degraded", "down"]
    deciding: str
    stores: tuple[StoreHealth, ...]
    mode: Mode

    @classmethod
    def of(cls, states: tuple[StoreState, ...], current: str, mode: Mode) -> Health:
        """Return the health that follows from the stores' states; `current` is the one that decided last."""
        ready = [state.name for state in states if state.state == "ready"]
        status: Literal["ok", "degraded", "down"] = "degraded" if ready else "down"
        if len(ready) == len(states):
            status = "ok"
        return cls(status, ready[0] if ready else current, tuple(_shown(state) for state in states), mode)


class HealthCheck(Generic[Report]):
    """Shares a check among callers: one runs at a time, and at most one in `kept_s` seconds.

    Callers that come while one runs, or soon after, get its report. A check doesn't belong to one request: it runs to
    its end even if the request that began it is cancelled, and in a context of its own, without that request's
    deadline. If it raises, it does so for all waiting callers, and the next caller begins another.

    Args:
        check: makes a report.
        kept_s: for how many seconds a report is kept.
        clock: where the time comes from.
    """

    def __init__(
        self, check: Callable[[], Awaitable[Report]], *, kept_s: float = KEPT_S, clock: Clock | None = None
    ) -> None:
        self._check = check
        self._kept_us = kept_s * 1_000_000
        self._clock = clock or SystemClock()
        self._running: asyncio.Task[Report] | None = None
        self._kept: tuple[int, Report] | None = None

    async def __call__(self) -> Report:
        """Return the kept report, or that of the running check, or that of a new one."""
        if self._kept is not None:
            # By the wall clock, since the monotonic one may stop in a frozen sandbox. The wall clock may be put back.
            age_us = self._clock.wall_us() - self._kept[0]
            if 0 <= age_us < self._kept_us:
                return self._kept[1]
        return await asyncio.shield(self._under_way())

    def _under_way(self) -> asyncio.Task[Report]:
        loop = asyncio.get_running_loop()
        # A check on another loop may never end.
        if self._running is None or self._running.done() or self._running.get_loop() is not loop:
            self._running = loop.create_task(self._report(), context=Context())
            self._running.add_done_callback(_read_error)
        return self._running

    async def _report(self) -> Report:
        report = await self._check()
        self._kept = self._clock.wall_us(), report
        return report


def _read_error(ended: asyncio.Task[Report]) -> None:
    """Read a check's error, or asyncio would log it as unread if all waiting callers are gone."""
    if not ended.cancelled():
        ended.exception()


def _shown(state: StoreState) -> StoreHealth:
    since = datetime.fromtimestamp(state.since_us / 1_000_000, UTC).isoformat(timespec="milliseconds")
    latency_ms = None if state.latency_ms is None else round(state.latency_ms, 3)
    return StoreHealth(state.name, state.state, state.breaker, since, latency_ms, state.fault, state.shadow)

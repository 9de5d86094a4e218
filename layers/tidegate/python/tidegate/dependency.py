"""What a handler depends on, such as a database: bounded in flight, given up on when it is silent, and measured.

    database = Dependency("database", most=32, judge=judge)

    with database.call():  # or `async with`
        table.get(key)

Two mechanisms refuse a call before it is made. The adaptive limit (see `algorithms.gradient`) keeps the calls of one
process in flight at what the dependency takes without a queue; where a process serves one request at a time, as on
Lambda, it has nothing to bound. The breaker (see `stores.breaker`) does there: once calls are not answered, their
timeouts are waited for by a probe now and then, and by nobody else.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from threading import Lock
from types import MappingProxyType, TracebackType
from typing import Literal, Self

from tidegate import deadline
from tidegate.algorithms.gradient import Bounds, Gradient, answered, unanswered
from tidegate.clock import Clock, SystemClock
from tidegate.errors import DependencyOverloadedError
from tidegate.stores.breaker import Breaker, BreakerState, Permission
from tidegate.telemetry import store_changed

Verdict = Literal["answered", "throttled", "silent"]
"""What an exception says of the dependency: it answered, it refused for load, or there was no answer."""

_RECENT = 0.2  # the latest call's weight in the average
_STALE_HALF_LIFE_S = 5.0  # what isn't asked can't be told apart from what is well again
# A probe costs a request its timeouts, seconds, unlike a store's: they are further apart.
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 5.0
_NEARLY_FULL = 0.8  # from this share of the limit on, calls in flight are a pressure
_RETRY_AFTER_S = (1, 3)

_registered: dict[str, Dependency] = {}


def dependencies() -> Mapping[str, Dependency]:
    """Return this process's dependencies by name; of several with one name the latest."""
    return MappingProxyType(_registered)


class Dependency:
    """One dependency of this process; thread-safe, for blocking calls and for coroutines.

    Args:
        name: what logs and problems call it.
        most: calls in flight at once, at most; the driver's pool should have as many connections.
        judge: says what an exception means. An exception that is the dependency's answer, such as a condition that
            doesn't hold, must not be taken for its failure.
        initial: the limit before anything is known.
        silent_calls: how many calls in a row go unanswered before the breaker opens.
        observe: told of each call's name and milliseconds, such as `Gate.observe`.
        clock: where the time comes from.
    """

    def __init__(
        self,
        name: str,
        *,
        most: int,
        judge: Callable[[BaseException], Verdict],
        initial: int = 20,
        silent_calls: int = 2,
        observe: Callable[[str, float], None] | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.name = name
        self._clock = clock or SystemClock()
        self._bounds = Bounds(least=min(4, most), most=most)
        self._known = Gradient(min(initial, most))
        self._breaker = Breaker(self._clock, first_pause_s=_FIRST_PAUSE_S, longest_pause_s=_LONGEST_PAUSE_S)
        self._judge = judge
        self._observe = observe
        self._silent_calls = silent_calls
        self._silent = 0
        self._in_flight = 0
        self._latency_ms: float | None = None
        self._seen_at = self._clock.monotonic()
        self._lock = Lock()
        _registered[name] = self

    @property
    def limit(self) -> int:
        """How many calls may be in flight now."""
        return int(self._known.limit)

    @property
    def in_flight(self) -> int:
        """How many are."""
        return self._in_flight

    @property
    def breaker(self) -> BreakerState:
        """The breaker's state."""
        return self._breaker.state

    @property
    def latency_ms(self) -> float | None:
        """What calls took of late, those without an answer included; None before the first."""
        return self._latency_ms

    @property
    def pressure(self) -> float:
        """How near it is to refusing, from 0 (at ease) to 1; what isn't seen any more is forgotten within seconds."""
        full = (self._in_flight / self.limit - _NEARLY_FULL) / (1 - _NEARLY_FULL)
        age_s = self._clock.monotonic() - self._seen_at
        return max(0.0, min(1.0, full), self._strain() * math.exp2(-age_s / _STALE_HALF_LIFE_S))

    def _strain(self) -> float:
        if self._silent:
            return min(1.0, self._silent / self._silent_calls)
        if not self._known.baseline_ms or self._latency_ms is None:
            return 0.0
        # From where the limit begins to shrink to where it shrinks as much as it may.
        return max(0.0, min(1.0, self._latency_ms / self._known.baseline_ms / self._bounds.tolerance - 1))

    def call(self) -> Call:
        """Return the context of one call: `with` or `async with` it.

        Entering raises DependencyOverloadedError: too many calls are in flight, its breaker is open, or the request
        has less time left than calls take. The application answers it as 503 `temporary-reduced-capacity`.
        """
        return Call(self)

    def check(self) -> Call:
        """Return the context of a call that is made whatever is known, so that health says what is, not what was."""
        return Call(self, anyway=True)

    def _enter(self, *, anyway: bool) -> Permission:
        if anyway:
            with self._lock:
                self._in_flight += 1
            return "probe"
        ends = deadline.current.get()
        if ends is not None and ends - self._clock.monotonic() <= (self._latency_ms or 0) / 1000:
            raise self._refusal("There is no time left to ask it.")
        with self._lock:
            if self._in_flight >= self.limit:
                raise self._refusal("Too many calls to it are under way.")
            permission = self._breaker.permission()
            if permission == "refuse":
                raise self._refusal("It has not answered of late.")
            self._in_flight += 1
            return permission

    def _leave(self, permission: Permission, took_ms: float, error: BaseException | None) -> None:
        verdict = "answered" if error is None else self._judge(error) if isinstance(error, Exception) else None
        with self._lock:
            in_flight, self._in_flight = self._in_flight, self._in_flight - 1
            if verdict is None:  # a call cancelled half-way tells nothing, but a probe has to report
                if permission == "probe":
                    self._breaker.failed(permission)
                return
            self._learn(verdict, took_ms, in_flight)
            was, now = self._breaker.state, self._report(verdict, permission)
        if (was == "closed") != (now == "closed"):
            _tell(self.name, error, lost=now != "closed")
        if self._observe is not None:
            self._observe(self.name, took_ms)

    def _learn(self, verdict: Verdict, took_ms: float, in_flight: int) -> None:
        before = took_ms if self._latency_ms is None else self._latency_ms
        self._latency_ms = before + (took_ms - before) * _RECENT
        self._seen_at = self._clock.monotonic()
        if verdict == "answered":
            self._known = answered(self._known, self._bounds, took_ms, in_flight)
        else:
            self._known = unanswered(self._known, self._bounds)

    def _report(self, verdict: Verdict, permission: Permission) -> BreakerState:
        """Tell the breaker; return its state after it."""
        if verdict != "silent":
            self._silent = 0
            self._breaker.succeeded(permission)
        else:
            self._silent += 1
            if permission == "probe" or self._silent >= self._silent_calls:
                self._breaker.failed(permission)
        return self._breaker.state

    def _refusal(self, why: str) -> DependencyOverloadedError:
        retry_after_s = random.randint(*_RETRY_AFTER_S)  # noqa: S311  spreads clients, guards nothing
        return DependencyOverloadedError(self.name, why, retry_after_s)


def _tell(name: str, error: BaseException | None, *, lost: bool) -> None:
    fault, detail = (type(error).__name__, str(error)[:200]) if error is not None else (None, None)
    store_changed(name, "failing" if lost else "ready", fault if lost else None, detail if lost else None)


class Call:
    """One call's context; of one use.

    Args:
        dependency: what is called.
        anyway: whether it is called whatever is known of it.
    """

    __slots__ = ("_anyway", "_began", "_dependency", "_permission")

    def __init__(self, dependency: Dependency, *, anyway: bool = False) -> None:
        self._dependency = dependency
        self._anyway = anyway

    def __enter__(self) -> Self:
        self._permission = self._dependency._enter(anyway=self._anyway)  # noqa: SLF001  a part of it
        self._began = self._dependency._clock.monotonic()  # noqa: SLF001
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        took_s = self._dependency._clock.monotonic() - self._began  # noqa: SLF001
        self._dependency._leave(self._permission, took_s * 1000, error)  # noqa: SLF001

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)

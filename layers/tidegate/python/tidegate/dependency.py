"""A dependency of handlers, such as a database: its calls are bounded, measured, and refused while it is silent.

    database = Dependency("database", most=32, judge=judge)

    with database.call():  # or `async with`
        table.get(key)

Two mechanisms refuse a call before it is made. The adaptive limit bounds the calls that one process has in flight to
the number that the dependency takes without a queue. It has nothing to bound in a process that serves one request at a
time, as on Lambda. There the breaker helps (see `failover.breaker`): after calls without an answer, only a probe now
and then waits for a timeout.

The adaptive limit grows until latency grows, and then stays where the queue begins. Source: Netflix's
concurrency-limits (2018). As in `Gradient2Limit`, a window's average latency is compared with a slow baseline. The
limit shrinks by their ratio and grows by its own square root. Unlike there, the baseline doesn't rise in a window whose
latency may come from this process' own calls. Otherwise the baseline would in the end include the queue, and the limit
would grow without bound. A dependency that is slower for good must be learnt nevertheless. So while latency stays high,
the limit goes to its floor for one window now and then, as `GradientLimit` probes for the latency without load.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from threading import Lock
from types import MappingProxyType, TracebackType
from typing import Literal, NamedTuple, Self

from tidegate import deadline
from tidegate.clock import Clock, SystemClock
from tidegate.errors import DependencyOverloadedError
from tidegate.failover.breaker import Breaker, BreakerState, Permission
from tidegate.telemetry import store_changed

Verdict = Literal["answered", "throttled", "silent"]
"""The meaning of an exception: the dependency answered, refused because of load, or didn't answer."""

_RECENT = 0.2  # the latest call's weight in the average
_STALE_HALF_LIFE_S = 5.0  # an old measurement fades, since the dependency may be well again
# Longer than a store's, since a probe costs a request its timeouts, which are seconds.
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 5.0
_NEARLY_FULL = 0.8  # from this share of the limit on, calls in flight count as pressure
_RETRY_AFTER_S = (1, 3)

_registered: dict[str, Dependency] = {}


def dependencies() -> Mapping[str, Dependency]:
    """Return this process's dependencies by name; if several have one name, the latest."""
    return MappingProxyType(_registered)


class Dependency:
    """One dependency of this process; thread-safe, for blocking calls and for coroutines.

    Args:
        name: its name in logs and problems.
        most: the most calls in flight at once; the driver's pool should have as many connections.
        judge: returns the meaning of an exception. An exception that is the dependency's answer, such as a condition
            that doesn't hold, must not count as its failure.
        initial: the limit before the first measurement.
        silent_calls: the number of calls in a row without an answer at which the breaker opens.
        observe: called with the name and the milliseconds of each call, such as `Gate.observe`.
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
        """How many calls are in flight."""
        return self._in_flight

    @property
    def breaker(self) -> BreakerState:
        """The breaker's state."""
        return self._breaker.state

    @property
    def latency_ms(self) -> float | None:
        """The moving average of calls' milliseconds, those without an answer included; None before the first."""
        return self._latency_ms

    @property
    def pressure(self) -> float:
        """How near it is to refusing calls, from 0 (at ease) to 1; without calls it falls within seconds."""
        full = (self._in_flight / self.limit - _NEARLY_FULL) / (1 - _NEARLY_FULL)
        age_s = self._clock.monotonic() - self._seen_at
        return max(0.0, min(1.0, full), self._strain() * math.exp2(-age_s / _STALE_HALF_LIFE_S))

    def _strain(self) -> float:
        if self._silent:
            return min(1.0, self._silent / self._silent_calls)
        if not self._known.baseline_ms or self._latency_ms is None:
            return 0.0
        # 0 where the limit begins to shrink, 1 where it shrinks the most.
        return max(0.0, min(1.0, self._latency_ms / self._known.baseline_ms / self._bounds.tolerance - 1))

    def call(self) -> Call:
        """Return the context of one call: `with` or `async with` it.

        Entering raises DependencyOverloadedError if too many calls are in flight, if the breaker is open, or if the
        request has less time left than calls take. The client then gets a 503 `temporary-reduced-capacity`.
        """
        return Call(self)

    def check(self) -> Call:
        """Return the context of a call that is never refused, so that a health check sees the present state."""
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
            if verdict is None:  # the call was cancelled: it tells nothing, but a probe must report a result
                if permission == "probe":
                    self._breaker.failed(permission)
                return
            self._learn(verdict, took_ms, in_flight)
            was, now = self._breaker.state, self._report(verdict, permission)
        if (was == "closed") != (now == "closed"):
            _log_change(self.name, error, lost=now != "closed")
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
        """Report to the breaker; return its state after that."""
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


def _log_change(name: str, error: BaseException | None, *, lost: bool) -> None:
    fault, detail = (type(error).__name__, str(error)[:200]) if error is not None else (None, None)
    store_changed(name, "failing" if lost else "ready", fault if lost else None, detail if lost else None)


class Call:
    """One call's context, to be used once.

    Args:
        dependency: the dependency that is called.
        anyway: whether the call is never refused.
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


_FALLING = 0.3  # by which share of a difference the baseline falls to a lower latency
_RISING = 0.02  # and rises to a higher one that this process' calls can't have caused
_FLOOR = 4.0
_DOUBTS = 100  # windows of high latency before the floor is tried
_LOST = 0.9  # AIMD's factor for a call without an answer, as in Netflix's AIMDLimit


class Bounds(NamedTuple):
    """The bounds of an adaptive limit, and how it moves.

    Attributes:
        least, most: the bounds of the limit; calls in flight.
        tolerance: the factor by which latency may exceed its baseline before the limit shrinks; at least 1.
        smoothing: a new estimate's weight in the limit, 0 to 1.
        window: the least number of calls whose latencies are averaged; more if more were in flight.
    """

    least: int = 4
    most: int = 100
    tolerance: float = 1.5
    smoothing: float = 0.2
    window: int = 10


class Gradient(NamedTuple):
    """The state of an adaptive limit.

    Attributes:
        limit: how many calls may be in flight.
        baseline_ms: the estimated latency without a queue; 0: there is none yet.
        ratio: the last window's latency as a multiple of the baseline; at least 1.
        doubts: how many windows in a row had too high a latency.
        before: the limit to return to after a window at the floor; 0: none.
        calls, sum_ms, peak: the window so far: its calls, the sum of their latencies, the most in flight. While `calls`
            is below 0, calls don't count, since they began under another limit.
    """

    limit: float
    baseline_ms: float = 0.0
    ratio: float = 1.0
    doubts: int = 0
    before: float = 0.0
    calls: int = 0
    sum_ms: float = 0.0
    peak: int = 0


def answered(known: Gradient, bounds: Bounds, latency_ms: float, in_flight: int) -> Gradient:
    """Return the state after a call that was answered.

    Args:
        known: the state before.
        bounds: the limit's bounds.
        latency_ms: the call's duration; milliseconds.
        in_flight: how many calls were in flight then, this one included.
    """
    if known.calls < 0:
        return known._replace(calls=known.calls + 1)
    window = known._replace(
        calls=known.calls + 1, sum_ms=known.sum_ms + max(latency_ms, 0.001), peak=max(known.peak, in_flight)
    )
    if window.calls < max(bounds.window, window.peak):
        return window
    recent_ms = window.sum_ms / window.calls
    return _looked(window, recent_ms) if window.before else _moved(window, bounds, recent_ms)


def unanswered(known: Gradient, bounds: Bounds) -> Gradient:
    """Return the state after a call that timed out or was refused: the limit shrinks, and no latency is learnt."""
    return known._replace(limit=max(bounds.least, known.limit * _LOST), before=max(0.0, known.before * _LOST))


def _looked(window: Gradient, recent_ms: float) -> Gradient:
    """End a window at the floor: its latency is the new baseline, as this process' calls made no queue there."""
    return Gradient(max(window.limit, window.before), recent_ms)


def _moved(window: Gradient, bounds: Bounds, recent_ms: float) -> Gradient:
    """Close a window: move the baseline, then the limit."""
    idle = window.peak <= window.limit / 2
    baseline_ms = _baseline(window.baseline_ms, recent_ms, idle=idle)
    ratio = max(1.0, recent_ms / baseline_ms)
    doubts = window.doubts + 1 if ratio > bounds.tolerance else 0
    limit = window.limit if idle else _limit(window.limit, bounds, ratio)
    if doubts >= _DOUBTS:
        floor = min(limit, max(_FLOOR, bounds.least))
        return Gradient(floor, baseline_ms, ratio, before=limit, calls=-math.ceil(limit))
    return Gradient(limit, baseline_ms, ratio, doubts)


def _limit(limit: float, bounds: Bounds, ratio: float) -> float:
    gradient = max(0.5, min(1.0, bounds.tolerance / ratio))
    estimate = limit * gradient + math.sqrt(limit)
    smoothed = limit * (1 - bounds.smoothing) + estimate * bounds.smoothing
    return max(bounds.least, min(bounds.most, smoothed))


def _baseline(known_ms: float, recent_ms: float, *, idle: bool) -> float:
    """Move the baseline; `idle` says that few calls were in flight, so that they can't have made a queue."""
    if not known_ms:
        return recent_ms
    if recent_ms <= known_ms:
        return known_ms + (recent_ms - known_ms) * _FALLING
    return known_ms + (recent_ms - known_ms) * _RISING if idle else known_ms

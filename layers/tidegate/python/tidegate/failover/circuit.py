"""A store with its breaker and its state, which follows from answers, failures and probes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol, TypeVar

from tidegate.clock import Clock
from tidegate.errors import FaultKind, StoreUnavailableError
from tidegate.failover.breaker import Breaker, BreakerState, Permission
from tidegate.messages import Answer, Question
from tidegate.steps import Steps, blocking, run
from tidegate.stores.base import BlockingSteps, Stepping, Store
from tidegate.telemetry import store_changed

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class ShadowCounts:
    """The results of an environment's shadow decisions (see `shadow`).

    Attributes:
        asked: how many were made.
        failed: how many of these the fallback didn't answer.
        differed: how many of these it decided differently from Redis.
    """

    asked: int = 0
    failed: int = 0
    differed: int = 0


class StoreState(NamedTuple):
    """A store's state, as this environment has seen it.

    Attributes:
        name: `redis`, `dynamodb` or `memory`.
        state: `untried` until first asked, then `ready` or `failing`.
        breaker: the breaker's state.
        since_us: when this state began; epoch microseconds.
        latency_ms: how long the latest answer took; milliseconds.
        fault: how it fails, if it does.
        detail: the driver's message.
        shadow: for a fallback, the counts of its shadow decisions.
    """

    name: str
    state: Literal["untried", "ready", "failing"]
    breaker: BreakerState
    since_us: int
    latency_ms: float | None = None
    fault: FaultKind | None = None
    detail: str | None = None
    shadow: ShadowCounts | None = None


class StoreHandle(Protocol):
    """A store's place in the failover chain."""

    @property
    def name(self) -> str:
        """The store's name."""

    @property
    def state(self) -> StoreState:
        """The state now."""

    @property
    def trusted(self) -> bool:
        """Whether questions go to it without a probe."""

    def ask(self, call: Callable[[Store], Result]) -> Result:
        """Ask the store if its breaker lets us; after an outage one caller probes it first.

        Raises:
            StoreUnavailableError: the breaker refuses, or the store failed now.
        """

    def admitting(self, question: Question) -> Steps[Answer]:
        """Return the steps of a decision, as `ask` makes them.

        Raises:
            StoreUnavailableError: as `ask`.
        """

    def check(self, patience_s: float) -> None:
        """Probe the store now, whatever its breaker says, so that its state is fresh; never fails."""

    def close(self) -> None:
        """Let go of connections; the store may be used again."""


class CircuitBreakerStore:
    """Asks a store through its breaker, and keeps its state.

    Args:
        store: the store.
        breaker: its breaker.
        clock: where the time comes from.
    """

    def __init__(self, store: Store, breaker: Breaker, clock: Clock) -> None:
        self.store = store
        self._steps = store if isinstance(store, Stepping) else BlockingSteps(store)
        self.shadow: ShadowCounts | None = None
        self._breaker = breaker
        self._clock = clock
        self._state = StoreState(store.name, "untried", "closed", clock.wall_us())
        self._latency_ms: float | None = None  # apart from `_state`, since each answer changes this alone

    @property
    def name(self) -> str:
        """The store's name."""
        return self.store.name

    @property
    def state(self) -> StoreState:
        """The state now."""
        return self._state._replace(breaker=self._breaker.state, shadow=self.shadow, latency_ms=self._latency_ms)

    @property
    def trusted(self) -> bool:
        """Whether questions go to it without a probe."""
        return self._breaker.state == "closed"

    def ask(self, call: Callable[[Store], Result]) -> Result:
        """Ask the store if its breaker lets us; after an outage one caller probes it first.

        Raises:
            StoreUnavailableError: the breaker refuses, or the store failed now.
        """
        return run(self._reporting(self._permission(), lambda: blocking(lambda: call(self.store))))

    def admitting(self, question: Question) -> Steps[Answer]:
        """Return the steps of a decision, as `ask` makes them.

        Raises:
            StoreUnavailableError: as `ask`.
        """
        return self._reporting(self._permission(), lambda: self._steps.admitting(question))

    def check(self, patience_s: float) -> None:
        """Probe the store now, whatever its breaker says, so that its state is fresh; never fails."""
        with suppress(StoreUnavailableError):
            run(self._reporting("check", lambda: blocking(lambda: self.store.probe(patience_s))))

    def close(self) -> None:
        """Let go of connections; the store may be used again."""
        self.store.close()

    def _permission(self) -> Permission:
        permission = self._breaker.permission()
        if permission == "refuse":
            raise StoreUnavailableError(self.store.name, "breaker-open", self._state.detail or "")
        return permission

    def _reporting(
        self, permission: Permission | Literal["check"], called: Callable[[], Steps[Result]]
    ) -> Steps[Result]:
        """Make a call and report its result to the breaker, unless an error isn't the store's.

        A store that has answered the probe is well, even if the question itself then fails. An error of the
        application, of this library or of one key's value won't meet other questions.
        """
        began = self._clock.monotonic()
        reported: Permission = "ask" if permission == "ask" else "probe"
        answered = permission == "ask"
        try:
            if permission == "probe":
                # Connections that are still open may lead to a dead server.
                self.store.close()
                yield from self._steps.probing()
                answered = True
            result = yield from called()
        except BaseException as error:
            self._failed(error, reported, answered=answered)
            raise
        if reported == "probe":
            self._breaker.succeeded(reported)
        if self._breaker.state == "closed":
            self._latency_ms = (self._clock.monotonic() - began) * 1000
            if self._state.state != "ready":
                self._enter("ready", None, None)
        return result

    def _failed(self, error: BaseException, permission: Permission, *, answered: bool) -> None:
        fault = error if isinstance(error, StoreUnavailableError) else None
        if answered and (fault is None or not fault.of_the_store):
            self._breaker.succeeded(permission)
            return
        self._breaker.failed(permission)
        if fault is not None:
            self._latency_ms = None
            self._enter("failing", fault.kind, fault.detail)

    def _enter(self, state: Literal["ready", "failing"], fault: FaultKind | None, detail: str | None) -> None:
        changed = self._state.state != state
        first_well = self._state.state == "untried" and state == "ready"  # not worth a log line
        since = self._clock.wall_us() if changed else self._state.since_us
        self._state = StoreState(self.store.name, state, self._breaker.state, since, None, fault, detail)
        if changed and not first_well:
            store_changed(self.store.name, state, fault, detail)

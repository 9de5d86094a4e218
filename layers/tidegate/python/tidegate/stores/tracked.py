"""A store with its breaker and its state, known from what was seen: answers, failures, probes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol, TypeVar

from tidegate.clock import Clock
from tidegate.errors import FaultKind, StoreUnavailableError
from tidegate.stores.base import Store
from tidegate.stores.breaker import Breaker, BreakerState, Permission
from tidegate.telemetry import store_changed

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class ShadowCounts:
    """What became of an environment's shadow decisions (see `shadow`).

    Attributes:
        asked: how many were made.
        failed: of these, how many the fallback didn't answer.
        differed: how many it decided differently from Redis.
    """

    asked: int = 0
    failed: int = 0
    differed: int = 0


class StoreState(NamedTuple):
    """What is known of a store.

    Attributes:
        name: `redis`, `dynamodb` or `memory`.
        state: `untried` until first asked, then `ready` or `failing`.
        breaker: the breaker's state.
        since_us: when this state began; epoch microseconds.
        latency_ms: what the latest answer took.
        fault: how it fails, if it does.
        detail: what the driver said of it.
        shadow: of a fallback: what became of its shadow decisions.
    """

    name: str
    state: Literal["untried", "ready", "failing"]
    breaker: BreakerState
    since_us: int
    latency_ms: float | None = None
    fault: FaultKind | None = None
    detail: str | None = None
    shadow: ShadowCounts | None = None


class Rung(Protocol):
    """A store's place on the ladder."""

    @property
    def name(self) -> str:
        """The store's name."""

    @property
    def state(self) -> StoreState:
        """What is known now."""

    @property
    def trusted(self) -> bool:
        """Whether questions go to it without a probe."""

    def ask(self, call: Callable[[Store], Result]) -> Result:
        """Ask the store if its breaker lets us; after an outage one caller probes it first.

        Raises:
            StoreUnavailableError: the breaker refuses, or the store failed now.
        """

    def check(self, patience_s: float) -> None:
        """Probe the store now, whatever its breaker says, so that its state is fresh; never fails."""

    def close(self) -> None:
        """Let go of connections; the store may be used again."""


class TrackedStore:
    """Asks a store through its breaker, and keeps its state.

    Args:
        store: the store.
        breaker: its breaker.
        clock: where the time comes from.
    """

    def __init__(self, store: Store, breaker: Breaker, clock: Clock) -> None:
        self.store = store
        self.shadow: ShadowCounts | None = None
        self._breaker = breaker
        self._clock = clock
        self._state = StoreState(store.name, "untried", "closed", clock.wall_us())
        self._latency_ms: float | None = None  # beside it: all else stays as it is from answer to answer

    @property
    def name(self) -> str:
        """The store's name."""
        return self.store.name

    @property
    def state(self) -> StoreState:
        """What is known now."""
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
        permission = self._breaker.permission()
        if permission == "refuse":
            raise StoreUnavailableError(self.store.name, "breaker-open", self._state.detail or "")
        return self._report(permission, _after_probe(call) if permission == "probe" else call)

    def check(self, patience_s: float) -> None:
        """Probe the store now, whatever its breaker says, so that its state is fresh; never fails."""
        with suppress(StoreUnavailableError):
            self._report("probe", lambda store: store.probe(patience_s))

    def close(self) -> None:
        """Let go of connections; the store may be used again."""
        self.store.close()

    def _report(self, permission: Permission, call: Callable[[Store], Result]) -> Result:
        began = self._clock.monotonic()
        try:
            result = call(self.store)
        except StoreUnavailableError as error:
            self._breaker.failed(permission)
            self._latency_ms = None
            self._enter("failing", error.kind, error.detail)
            raise
        except BaseException:
            self._breaker.failed(permission)
            raise
        if permission == "probe":
            self._breaker.succeeded(permission)
        if self._breaker.state == "closed":
            self._latency_ms = (self._clock.monotonic() - began) * 1000
            if self._state.state != "ready":
                self._enter("ready", None, None)
        return result

    def _enter(self, state: Literal["ready", "failing"], fault: FaultKind | None, detail: str | None) -> None:
        changed = self._state.state != state
        first_well = self._state.state == "untried" and state == "ready"  # which is no news
        since = self._clock.wall_us() if changed else self._state.since_us
        self._state = StoreState(self.store.name, state, self._breaker.state, since, None, fault, detail)
        if changed and not first_well:
            store_changed(self.store.name, state, fault, detail)


def _after_probe(call: Callable[[Store], Result]) -> Callable[[Store], Result]:
    """Connect anew before asking a store that was lost: what is connected still may lead to a dead server."""

    def probe_and_call(store: Store) -> Result:
        store.close()
        store.probe()
        return call(store)

    return probe_and_call

"""A protected application's gate in a test: its clock stands still, its stores are this process's, and can fail."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import TracebackType
from typing import NamedTuple, Self

from fastapi import FastAPI

from tidegate.compose import Lifecycle, compose
from tidegate.environment import Environment
from tidegate.errors import ConfigurationError, FaultKind, StoreUnavailableError
from tidegate.failover.breaker import Breaker
from tidegate.failover.circuit import CircuitBreakerStore
from tidegate.failover.store import FailoverStore
from tidegate.idempotency.memory import MemoryClaims
from tidegate.messages import Answer, ClaimAnswer, ClaimRequest, Completed, Question
from tidegate.settings import Settings
from tidegate.steps import Steps
from tidegate.stores.memory import MemoryStore
from tidegate.telemetry import RequestLine
from tidegate.testing.stand_ins import FailingStore, FakeClock

# A breaker that opens for long would make a test of what comes after a failure wait for a probe.
_PAUSE_S = 0.2


class Charged(NamedTuple):
    """What a request was charged.

    Attributes:
        limit: the limit's name, or its numbers if it has none: as in the RateLimit fields.
        principal: whose request it was.
        units: how many units.
    """

    limit: str
    principal: str
    units: int


class GateInTest:
    """The gate of a protected application, for as long as a test; a context manager.

    Meanwhile the application decides in memory that begins empty, whatever its settings name: no server is asked. Its
    other settings stay.

    Args:
        app: the application, on which `protect` was called, with whatever is mounted in it.

    Attributes:
        clock: the time by which limits, claims and copies count; it moves only by `clock.advance(seconds)`.
        requests: the lines of the requests that have ended: `route`, `outcome`, `status`, `principal` and the others.

    Raises:
        ConfigurationError: the application isn't protected.
    """

    __test__ = False  # for pytest, which collects by name

    def __init__(self, app: FastAPI) -> None:
        self._lifecycle = _lifecycle_of(app)
        self._before: Environment | None = None
        self.clock = FakeClock()
        self.requests: list[RequestLine] = []
        self._store = _SharedStore(self.clock)
        self._off = False

    def __enter__(self) -> Self:
        self._before = self._lifecycle.exchange(self._made())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lifecycle.close()
        self._lifecycle.exchange(self._before)

    @property
    def charged(self) -> list[Charged]:
        """What the requests that ended were charged when they were admitted, in order."""
        return [each for line in self.requests for each in _charged(line)]

    def reset(self) -> None:
        """Forget all counts, claims, copies and failures; the clock stays."""
        self._store = _SharedStore(self.clock)
        self._lifecycle.close()
        self._lifecycle.exchange(self._made())
        self.requests.clear()

    def fail(self, kind: FaultKind = "timeout") -> None:
        """Let the shared stores fail from now on, as `timeout`, `refused` or any other kind of fault."""
        self._store.fault = kind

    def mend(self) -> None:
        """Let the shared stores answer again, and have what they had."""
        self._store.fault = None
        self.clock.advance(_PAUSE_S * 2)

    @contextmanager
    def failing(self, kind: FaultKind = "timeout") -> Iterator[None]:
        """Let the shared stores fail within the block."""
        self.fail(kind)
        try:
            yield
        finally:
            self.mend()

    @contextmanager
    def off(self) -> Iterator[None]:
        """Charge and shed no request within the block; idempotency keys stay in force, being part of the API."""
        self._off = True
        self._lifecycle.exchange(self._made())
        try:
            yield
        finally:
            self._off = False
            self._lifecycle.exchange(self._made())

    def _made(self) -> Environment:
        settings = _settings_of(self._lifecycle)
        made = compose(replace(settings, shed="off") if self._off else settings, self.clock)
        breaker = Breaker(self.clock, first_pause_s=_PAUSE_S, longest_pause_s=_PAUSE_S)
        shared = CircuitBreakerStore(self._store, breaker, self.clock)
        chain = _Uncharged if self._off else FailoverStore
        stores = chain([shared], MemoryStore(self.clock), self.clock)
        return made._replace(stores=stores, claims=self._store.claims, heard=self._heard)

    def _heard(self, line: RequestLine) -> None:
        self.requests.append(replace(line))


class _Uncharged(FailoverStore):
    """Decides claims and copies, and charges nothing."""

    def admitting(self, question: Question) -> Steps[Answer]:
        """Return the steps of a decision without limits."""
        return super().admitting(question._replace(charges=()))


class _SharedStore(FailingStore):
    """Stands for what the fleet shares: its limits, and its claims."""

    def __init__(self, clock: FakeClock) -> None:
        memory = MemoryStore(clock)
        memory.name = "redis"
        super().__init__(memory)
        self.claims = _FailingClaims(MemoryClaims(clock), self)


class _FailingClaims:
    def __init__(self, claims: MemoryClaims, store: _SharedStore) -> None:
        self._claims = claims
        self._store = store

    @property
    def table(self) -> str | None:
        return None

    def claim(self, request: ClaimRequest) -> ClaimAnswer:
        return self._well().claim(request)

    def recall(self, request: ClaimRequest) -> Completed | None:
        return self._well().recall(request)

    def renew(self, request: ClaimRequest, points: bytes = b"") -> bool:
        return self._well().renew(request, points)

    def complete(self, request: ClaimRequest, record: bytes) -> bool:
        return self._well().complete(request, record)

    def release(self, request: ClaimRequest) -> bool:
        return self._well().release(request)

    def _well(self) -> MemoryClaims:
        if self._store.fault is not None:
            raise StoreUnavailableError("dynamodb", self._store.fault)
        return self._claims


def _lifecycle_of(app: FastAPI) -> Lifecycle:
    for each in app.user_middleware:
        lifecycle = each.kwargs.get("lifecycle")
        if isinstance(lifecycle, Lifecycle):
            return lifecycle
    raise ConfigurationError("GateInTest(app)", "the application isn't protected; call protect(app) before")


def _settings_of(lifecycle: Lifecycle) -> Settings:
    """Return the application's settings, with memory in place of its stores."""
    try:
        settings = lifecycle.read()
    except ConfigurationError:  # none in a test's environment
        settings = Settings.from_environ({**_without_stores(os.environ), "TIDEGATE_STORE": "memory"})
    return replace(
        settings,
        memory_only=True,
        redis=None,
        redis_url=None,
        redis_cluster=False,
        redis_iam_user=None,
        redis_iam_cache=None,
        table=None,
        queue_url=None,
        dead_letter_url=None,
        counted_as=None,
    )


def _without_stores(environ: os._Environ[str]) -> dict[str, str]:
    stores = ("TIDEGATE_REDIS_", "TIDEGATE_TABLE", "TIDEGATE_QUEUE_URL", "TIDEGATE_DEAD_LETTER_URL")
    return {name: value for name, value in environ.items() if not name.startswith(stores)}


def _charged(line: RequestLine) -> Iterator[Charged]:
    if line.charge_set is not None and line.outcome != "limited":
        for limit, charge in zip(line.charge_set.limits, line.charge_set.charges, strict=True):
            yield Charged(limit.label, line.principal, charge.cost)

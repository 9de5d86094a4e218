"""The simulated world: clients with retries, two environments, both stores and the time; one step at a time.

Nothing in it happens by itself. What an environment, a handler or DynamoDB does is told to the world, and the ledger
checks it against the invariants.
"""

import asyncio
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import cast
from unittest.mock import patch

import tidegate.failover.circuit as tracked_module
import tidegate.guarded as guarded_module
import tidegate.telemetry as telemetry_module
from tests.simulation.idempotency_dynamodb import SimulatedDynamoDB
from tests.simulation.idempotency_environment import SimulatedEnvironment
from tests.simulation.idempotency_expressions import Item
from tests.simulation.idempotency_ledger import Key, Ledger, Route, ViolationError
from tests.simulation.idempotency_redis import SimulatedRedis
from tests.simulation.idempotency_request import SimulatedRequest, under_way
from tests.simulation.idempotency_shop import ROUTES, Fate
from tests.simulation.idempotency_steps import ENVIRONMENTS, EVENTS, Step

_BORN_US = 1_800_000_000_000_000


class World:
    """Everything there is. `quiet()` must be entered while it goes on.

    Attributes:
        counts: how often what has happened, for the report.
        open: how many requests of a key are on their way.
        tell: is told every event, where somebody wants to read them.
        violation: the first broken invariant; kept, as library code in between may swallow the exception.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.ledger = Ledger()
        self.now_us = _BORN_US
        self.ledger.now_ms = _BORN_US // 1000
        self.redis = SimulatedRedis(lambda: self.now_us)
        self.dynamodb = SimulatedDynamoDB(self._watch)
        self.keys = [Key(f"key-of-{route}", cast("Route", route)) for route in ROUTES]
        self.environments = [SimulatedEnvironment(self) for _ in range(ENVIRONMENTS)]
        self.open: Counter[str] = Counter()
        self.most_retries = 0
        self.tell: Callable[[str], None] | None = None
        self.violation: ViolationError | None = None
        self._armed: tuple[int, tuple[Step, ...]] | None = None

    def perform(self, step: Step) -> None:
        """Let one thing happen.

        Raises:
            ViolationError: an invariant doesn't hold; also where library code in between has swallowed it.
        """
        self.counts[step.kind] += 1
        self._say(f"{step.kind} {step.where} {step.which}")
        EVENTS[step.kind](self, step)
        if self.violation is not None:
            raise self.violation

    # ── what a step may do ──────────────────────────────────────────────────────────────────────────────────

    def request(self, key: Key, environment: SimulatedEnvironment, fate: Fate) -> SimulatedRequest:
        """Send a request of that key, and let it go until it waits."""
        request = SimulatedRequest(self, environment, key, fate, self.now_us // 1000)
        self.open[key.name] += 1
        key.asked = True
        task = environment.loop.create_task(request.go())
        environment.tasks.add(task)
        task.add_done_callback(lambda done: self._ended(request, done))
        environment.loop.drain()
        return request

    def finish(self, environment: SimulatedEnvironment) -> None:
        """Let an environment come to an end with everything it has begun."""
        while environment.pauses and environment.runs:
            environment.resume(0)

    def replace(self, place: int) -> None:
        """Crash the environment at that place, and start another one."""
        self.environments[place].crash()
        self.environments[place] = SimulatedEnvironment(self)

    def pass_ms(self, milliseconds: int) -> None:
        """Let time pass, and every timer fire that is due by then."""
        self.now_us += milliseconds * 1000
        self.ledger.now_ms = self.now_us // 1000
        for environment in self.environments:
            if environment.runs:
                environment.loop.drain()

    # ── in the midst of calls ───────────────────────────────────────────────────────────────────────────────

    def arm(self, after: int, steps: tuple[Step, ...]) -> None:
        """Let these steps happen in the midst of a call, when `meanwhile` has been told of so many others."""
        self._armed = (after, steps)

    def disarm(self) -> None:
        self._armed = None

    def meanwhile(self) -> None:
        """A call is about to take effect, or has taken it: what was armed happens now."""
        if self._armed is None:
            return
        left, steps = self._armed
        self._armed = (left - 1, steps) if left else None
        if not left:
            self.counts["in the midst of a call"] += 1
            for step in steps:
                self.perform(step)

    # ── what the ledger is told ─────────────────────────────────────────────────────────────────────────────

    def began(self, request: SimulatedRequest, claim_pk: str) -> None:
        """A handler has begun to run under that claim."""
        self.counts["runs"] += 1
        self._say(f"  run {request.own_run.number} of {request.key.name} by {request.own_run.attempt}")
        self._check(lambda: self.ledger.begin(request.key, claim_pk, request.own_run))

    def effect(self, key: Key) -> None:
        """A handler's effect has been made."""
        self.counts["effects"] += 1
        self._check(lambda: self.ledger.effect(key))

    def answered(self, request: SimulatedRequest) -> None:
        """An answer is whole; what a crashed environment says last reaches nobody."""
        heard = request.heard()
        if request.environment.dynamodb.dead:
            return
        self._say(f"  answer to {request.key.name}: {heard.status} {heard.body!r}")
        self.counts[f"answer {heard.label}"] += 1
        if not heard.comes_again:
            request.key.final = heard
        self._check(lambda: self.ledger.heard(request.key, heard, request.at_ms, request.run, request.why))

    def _ended(self, request: SimulatedRequest, done: "asyncio.Task[None]") -> None:
        request.environment.tasks.discard(done)
        self.open[request.key.name] -= 1
        if not request.environment.dynamodb.dead and not request.messages:
            self._check(lambda: self._nothing_said(request))

    def _nothing_said(self, request: SimulatedRequest) -> None:
        raise ViolationError(f"{request.key.name}: ended without an answer") from request.why

    def _watch(self, pk: str, before: Item | None, after: Item | None) -> None:
        """DynamoDB has changed an item."""
        self._say(f"  DynamoDB: {pk} is {after}")
        if pk.startswith("order#") and before is None:
            self.effect(self.ledger.by_claim[pk.replace("order#", "claim#")])
        elif before is not None and after is not None and before.get("attempt_id") != after.get("attempt_id"):
            self.counts["taken over"] += 1
        self._check(lambda: self.ledger.watch(pk, before, after))

    def _check(self, check: Callable[[], None]) -> None:
        """Note a violation: it may happen deep in code that answers every exception."""
        try:
            check()
        except ViolationError as violation:
            self.violation = self.violation or violation

    def _say(self, event: str) -> None:
        if self.tell is not None:
            self.tell(event)


@contextmanager
def quiet() -> Iterator[None]:
    """No lines are logged; an exception that the guard answers is kept for the report."""
    with ExitStack() as patches:
        patches.enter_context(patch.object(guarded_module, "write", _nothing))
        patches.enter_context(patch.object(telemetry_module, "logger", _Quiet))
        patches.enter_context(patch.object(tracked_module, "store_changed", _nothing))
        yield


def _nothing(*_: object, **__: object) -> None:
    """Say nothing."""


class _Quiet:
    """A logger that says nothing."""

    info = warning = staticmethod(_nothing)

    @staticmethod
    def exception(*_: object, **__: object) -> None:
        under_way.get().why = sys.exception()

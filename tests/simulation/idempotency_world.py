"""The simulated world: a client with retries, two environments, both stores and the time; one step at a time.

Nothing in it happens by itself. Every event is a `Step`, and a step means the same in every world that has come
the same way, so that a list of steps is a replay.
"""

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, cast
from unittest.mock import patch

import tidegate.guard as guard_module
import tidegate.stores.tracked as tracked_module
from tests.simulation.idempotency_dynamodb import SimulatedDynamoDB
from tests.simulation.idempotency_environment import Invocation, SimulatedEnvironment
from tests.simulation.idempotency_expressions import Item
from tests.simulation.idempotency_ledger import SKEW_MS, Heard, Key, Ledger, Route, Run, ViolationError
from tests.simulation.idempotency_redis import SimulatedRedis
from tests.simulation.idempotency_shop import ROUTES, Fate, app
from tidegate.admission import Claim
from tidegate.stores.aws import DynamoTimeouts

ENVIRONMENTS = 2
TIMES_MS = (1, 40, 300, 1_000, 3_000, 5_000, 7_000, 9_000, 12_000, 16_000, 21_000, 26_000, 700_000)
MOST_RETRIES = 40  # a hold and the clocks' skew are over before so many, a second or more apart
MOST_OPEN = 3
_BORN_US = 1_800_000_000_000_000
_asked: "ContextVar[Asked]" = ContextVar("asked")
_NOT_CONTENT = {b"idempotent-replayed", b"ratelimit", b"ratelimit-policy", b"retry-after"}


@dataclass(frozen=True)
class Step:
    """One event; `a` and `b` choose among what there is, `inner` is what happens in the midst of a later call."""

    kind: str
    a: int = 0
    b: int = 0
    inner: "tuple[Step, ...]" = ()


@dataclass(eq=False)
class Asked:
    """One request on its way, and what its handler may do to the world."""

    world: "World"
    environment: SimulatedEnvironment
    key: Key
    fate: Fate
    at_ms: int
    run: Run | None = None
    why: BaseException | None = None
    messages: list[dict[str, Any]] = field(default_factory=list)

    @property
    def own_run(self) -> Run:
        assert self.run is not None
        return self.run

    async def pause(self) -> None:
        await self.environment.pause()

    def order(self, claim: Claim) -> dict[str, Any] | None:
        found = self._shop.call("GetItem", TableName="orders", Key={"pk": {"S": f"order#{claim.id}"}})
        return json.loads(found["Item"]["content"]["S"]) if found else None

    def commit(self, claim: Claim) -> None:
        content = {"S": json.dumps({"order": self.key.name, "by": self.own_run.number})}
        mine = {"ConditionExpression": "attempt_id = :mine"}
        self._shop.call(
            "TransactWriteItems",
            TransactItems=[
                {
                    "ConditionCheck": {
                        "Key": {"pk": {"S": claim.pk}},
                        **mine,
                        "ExpressionAttributeValues": {":mine": {"S": claim.attempt_id}},
                    }
                },
                {
                    "Put": {
                        "Item": {"pk": {"S": f"order#{claim.id}"}, "content": content},
                        "ConditionExpression": "attribute_not_exists(pk)",
                    }
                },
            ],
        )

    @property
    def _shop(self) -> Any:
        return self.environment.client(DynamoTimeouts(1, 1))

    async def go(self) -> None:
        _asked.set(self)
        try:
            await app(self._scope(), self._receive, self._send)
        except Exception as error:  # noqa: BLE001  the server's edge: what comes out here the client sees
            self.why = self.why or error

    async def _receive(self) -> dict[str, Any]:
        return {"type": "http.request", "body": b"{}", "more_body": False}

    async def _send(self, message: Any) -> None:
        self.messages.append(message)
        if message["type"] == "http.response.body" and not message.get("more_body"):
            self.world.answered(self)

    def _scope(self) -> dict[str, Any]:
        path = f"/{self.key.route}"
        return {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "https",
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": b"",
            "headers": [(b"idempotency-key", self.key.name.encode()), (b"x-api-key", self.key.route.encode())],
            "client": ("203.0.113.7", 443),
            "server": ("api.test", 443),
            "aws.context": Invocation(),
            "simulation": self,
        }


class World:
    """Everything there is. `quiet()` must be entered while it goes on."""

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

    # ── the steps ───────────────────────────────────────────────────────────────────────────────────────────

    def perform(self, step: Step) -> None:
        """Let one thing happen.

        Raises:
            ViolationError: an invariant doesn't hold; also where library code in between has swallowed it.
        """
        self.counts[step.kind] += 1
        if self.tell is not None:
            self.tell(f"{step.kind} {step.a} {step.b}")
        getattr(self, f"_{step.kind}")(step)
        if self.violation is not None:
            raise self.violation

    def _ask(self, step: Step) -> None:
        key = self.keys[step.a // ENVIRONMENTS % len(self.keys)]
        environment = self.environments[step.a % ENVIRONMENTS]
        if environment.runs and self.open[key.name] < MOST_OPEN:
            self.request(key, environment, Fate(step.b % len(Fate)))

    def request(self, key: Key, environment: SimulatedEnvironment, fate: Fate) -> Asked:
        asked = Asked(self, environment, key, fate, self.now_us // 1000)
        self.open[key.name] += 1
        key.asked = True
        task = environment.loop.create_task(asked.go())
        environment.tasks.add(task)
        task.add_done_callback(lambda done: self._ended(asked, environment, done))
        environment.loop.drain()
        return asked

    def _resume(self, step: Step) -> None:
        if (environment := self._one(step.a)) is not None:
            environment.resume(step.b)

    def _hurry(self, step: Step) -> None:
        if (environment := self._one(step.a)) is not None:
            self.finish(environment)

    def finish(self, environment: SimulatedEnvironment) -> None:
        """Let an environment come to an end with everything it has begun."""
        while environment.pauses and environment.runs:
            environment.resume(0)

    def _freeze(self, step: Step) -> None:
        self.environments[step.a % ENVIRONMENTS].frozen = True

    def _thaw(self, step: Step) -> None:
        environment = self.environments[step.a % ENVIRONMENTS]
        environment.frozen = False
        if environment.runs:
            environment.loop.drain()

    def _crash(self, step: Step) -> None:
        place = step.a % ENVIRONMENTS
        if not self.environments[place].blocked:
            self.environments[place].crash()
            self.environments[place] = SimulatedEnvironment(self)

    def _advance(self, step: Step) -> None:
        self.pass_ms(TIMES_MS[step.a % len(TIMES_MS)])

    def pass_ms(self, milliseconds: int) -> None:
        self.now_us += milliseconds * 1000
        self.ledger.now_ms = self.now_us // 1000
        for environment in self.environments:
            if environment.runs:
                environment.loop.drain()

    def _skew(self, step: Step) -> None:
        self.environments[step.a % ENVIRONMENTS].clock.skew_us = (step.b % (2 * SKEW_MS + 1) - SKEW_MS) * 1000

    def _redis_down(self, step: Step) -> None:
        self.redis.up = False

    def _redis_up(self, step: Step) -> None:
        self.redis.up = True

    def _redis_empty(self, step: Step) -> None:
        self.redis.restart_empty()

    def _redis_replicates(self, step: Step) -> None:
        self.redis.replicate()

    def _redis_fails_over(self, step: Step) -> None:
        self.redis.fail_over()

    def _dynamodb_down(self, step: Step) -> None:
        self.dynamodb.up = False

    def _dynamodb_up(self, step: Step) -> None:
        self.dynamodb.up = True

    def _dynamodb_expires(self, step: Step) -> None:
        self.dynamodb.expire(self.now_us // 1_000_000)

    def _cut(self, step: Step) -> None:
        link = self.environments[step.a % ENVIRONMENTS].links[step.b % 2]
        link.cut = not link.cut

    def _lose(self, step: Step) -> None:
        link = self.environments[step.a % ENVIRONMENTS].links[step.a // ENVIRONMENTS % 2]
        link.losses.extend([("write", "acknowledgement")[step.b % 2]] * (1 + step.b // 2 % 2))

    def _arm(self, step: Step) -> None:
        self._armed = (step.a, step.inner)

    def _mend(self, step: Step) -> None:
        self.redis.up = self.dynamodb.up = True
        for environment in self.environments:
            for link in environment.links:
                link.cut = False
                link.losses.clear()

    def disarm(self) -> None:
        self._armed = None

    # ── in the midst of calls ───────────────────────────────────────────────────────────────────────────────

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

    # ── the client's end ────────────────────────────────────────────────────────────────────────────────────

    def answered(self, asked: Asked) -> None:
        start, *rest = asked.messages
        fields = dict(start["headers"])
        heard = Heard(
            start["status"],
            tuple((n, v) for n, v in start["headers"] if n not in _NOT_CONTENT),
            b"".join(message.get("body", b"") for message in rest),
            b"idempotent-replayed" in fields,
            int(fields.get(b"retry-after", 0)),
        )
        if asked.environment.dynamodb.dead:
            return
        if self.tell is not None:
            self.tell(f"  answer to {asked.key.name}: {heard.status} {heard.body!r}")
        self.counts[f"answer {heard.label}"] += 1
        if not heard.comes_again:
            asked.key.final = heard
        self.check(lambda: self.ledger.heard(asked.key, heard, asked.at_ms, asked.run, asked.why))

    def began(self, asked: Asked, claim_pk: str) -> None:
        self.counts["runs"] += 1
        if self.tell is not None:
            self.tell(f"  run {asked.own_run.number} of {asked.key.name} by {asked.own_run.attempt}")
        self.check(lambda: self.ledger.begin(asked.key, claim_pk, asked.own_run))

    def effect(self, key: Key) -> None:
        self.counts["effects"] += 1
        self.check(lambda: self.ledger.effect(key))

    def _ended(self, asked: Asked, environment: SimulatedEnvironment, done: "asyncio.Task[None]") -> None:
        environment.tasks.discard(done)
        self.open[asked.key.name] -= 1
        if not environment.dynamodb.dead and not asked.messages:
            self.check(lambda: self._nothing_said(asked))

    def _nothing_said(self, asked: Asked) -> None:
        raise ViolationError(f"{asked.key.name}: ended without an answer") from asked.why

    def _watch(self, pk: str, before: Item | None, after: Item | None) -> None:
        if self.tell is not None:
            self.tell(f"  DynamoDB: {pk} is {after}")
        if pk.startswith("order#") and before is None:
            self.effect(self.ledger.by_claim[pk.replace("order#", "claim#")])
        elif before is not None and after is not None and before.get("attempt_id") != after.get("attempt_id"):
            self.counts["taken over"] += 1
        self.check(lambda: self.ledger.watch(pk, before, after))

    def check(self, check: Callable[[], None]) -> None:
        """Note a violation: it may happen deep in code that answers every exception."""
        try:
            check()
        except ViolationError as violation:
            self.violation = self.violation or violation

    def _one(self, number: int) -> SimulatedEnvironment | None:
        able = [environment for environment in self.environments if environment.runs]
        return able[number % len(able)] if able else None


@contextmanager
def quiet() -> Iterator[None]:
    """No lines are logged; an exception that the guard answers is kept for the report."""
    with ExitStack() as patches:
        patches.enter_context(patch.object(guard_module, "write", _nothing))
        patches.enter_context(patch.object(guard_module, "logger", _Quiet))
        patches.enter_context(patch.object(tracked_module, "store_changed", _nothing))
        yield


def _nothing(*_: object, **__: object) -> None:
    """Say nothing."""


class _Quiet:
    """A logger that says nothing."""

    info = warning = staticmethod(_nothing)

    @staticmethod
    def exception(*_: object, **__: object) -> None:
        _asked.get().why = sys.exception()

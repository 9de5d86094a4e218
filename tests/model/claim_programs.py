"""What one attempt does, as the library's own code: ask for its claim, renew it, settle it.

The handler between them is the model's: it has an effect, and an answer that says by whom and for whom it was made.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from types import SimpleNamespace
from typing import Any, NamedTuple, TypeVar, cast

from tests.model.claim_stores import CLAIM_ID, SUBJECT, ModelClient, ModelClock, ModelRedis, wall_ms
from tests.model.resumption import Outside, awaited, unavailable
from tidegate.environment import Environment
from tidegate.errors import StoreUnavailableError
from tidegate.idempotency.attempt import ClaimAttempt
from tidegate.idempotency.dynamodb import DynamoClaims
from tidegate.idempotency.fingerprint import Fingerprint
from tidegate.idempotency.held_claim import ClaimBackends, HeldClaim
from tidegate.idempotency.protocol import Found, Replay
from tidegate.idempotency.renewal import hold_ms
from tidegate.idempotency.run import IdempotentRun
from tidegate.messages import Answer, ClaimRequest, Question
from tidegate.policy import Policy
from tidegate.steps import Steps, run
from tidegate.stores.dynamodb.client import DynamoClient
from tidegate.web.body import Body
from tidegate.web.problems import Problem
from tidegate.web.stored_response import StoredResponse

Result = TypeVar("Result")
INVOCATION_TICKS = 2
_SCOPE = {"type": "http", "method": "POST", "path": "/orders", "query_string": b"", "headers": []}


class Route(NamedTuple):
    """How a route takes its claims.

    Attributes:
        in_redis: whether Redis holds them.
        guarded: whether there is DynamoDB.
        holds_unknown: whether a silent holder's claim isn't taken over.
        on_server: whether nothing bounds its handlers, so that claims are renewed.
        recovers: whether its handlers record a recovery point before their effect.
        lifetime_ms: how long an answer is kept.
    """

    in_redis: bool = False
    guarded: bool = True
    holds_unknown: bool = False
    on_server: bool = False
    recovers: bool = False
    lifetime_ms: int = 600_000


class Asker(NamedTuple):
    """Who makes an attempt.

    Attributes:
        number: the attempt's.
        skew: by how many ticks its environment's clock is off.
        payload, credential: what it sends, and what it shows beside what names its principal.
    """

    number: int
    skew: int = 0
    payload: str = "tea"
    credential: str = "anna"

    @property
    def attempt_id(self) -> str:
        return f"attempt-{self.number}"

    def request(self, route: Route, context: Any) -> ClaimRequest:
        return ClaimRequest(
            CLAIM_ID,
            fingerprint(self.payload, self.credential),
            self.attempt_id,
            hold_ms(context),
            route.lifetime_ms,
            in_redis=route.in_redis,
            holds_unknown=route.holds_unknown,
        )


@cache
def fingerprint(payload: str, credential: str) -> str:
    """Return what the library makes of a request's payload and credential."""
    digest = Fingerprint(_SCOPE, hashlib.sha256(credential.encode()).hexdigest())
    digest.update(payload.encode())
    return digest.hexdigest()


class Holding(NamedTuple):
    """A claim that is held, as `HeldClaim` remembers it between two calls.

    Attributes:
        asked: the tick of the question that it stands by.
        stands_ms: how long it stands from then on.
        by_redis: whether Redis holds it.
        points: its recovery points.
        lost: whether it is known to be another attempt's.
    """

    asked: int
    stands_ms: int
    by_redis: bool
    points: bytes = b""
    lost: bool = False


class Heard(NamedTuple):
    """An answer, as its client has it.

    Attributes:
        status: its status.
        body: its body; of a problem its type.
        replayed: whether it was given before.
    """

    status: int
    body: bytes
    replayed: bool = False


class Program(NamedTuple):
    """A part of an attempt that asks stores.

    Attributes:
        does: `ask`, `renew`, `record` (a recovery point) or `settle`.
        asker, route: whose.
        came: the tick at which its request came.
        holding: the claim, once it is held.
        answer: what the handler has answered, to be settled.
    """

    does: str
    asker: Asker
    route: Route
    came: int
    holding: Holding | None = None
    answer: Heard | None = None

    def __call__(self, outside: Outside) -> Holding | Heard:
        return _DOES[self.does](self, _Environment(self, outside))


class _Context:
    """Lambda's: an invocation that ends at its timeout."""

    def __init__(self, outside: Outside, came: int) -> None:
        self._outside, self._ends = outside, came + INVOCATION_TICKS

    def get_remaining_time_in_millis(self) -> int:
        return max(0, wall_ms(self._ends) - wall_ms(self._outside.now))


class _Environment:
    """The parts of `Environment` that a claim asks."""

    def __init__(self, program: Program, outside: Outside) -> None:
        self.outside = outside
        self.context = None if program.route.on_server else _Context(outside, program.came)
        self.clock = ModelClock(outside, program.asker.skew)
        table = DynamoClaims(cast("DynamoClient", ModelClient(outside)), "table", self.clock)
        self.claims = table if program.route.guarded else None
        self.redis = ModelRedis(outside)
        self.stores = self
        self.settle = self.redis.settle
        self.decide = self
        self.renewer = SimpleNamespace(keep=lambda _: None)

    async def claiming(self, call: Callable[[], Result]) -> Result:
        return call()

    async def steps(self, steps: Steps[Result]) -> Result:
        return run(steps)

    def admitting(self, question: Question) -> Steps[Answer]:
        yield from ()
        return self.admit(question)

    def admit(self, question: Question) -> Answer:
        """Decide as the failover chain does: where Redis isn't heard, another store does, and knows no claims."""
        try:
            return Answer(admitted=True, limits=(), claim=self.redis.ask_for(question), store="redis")
        except StoreUnavailableError:
            return Answer(admitted=True, limits=(), claim=None, store="dynamodb")

    def held(self, program: Program) -> HeldClaim:
        """Return the claim that the program's attempt holds."""
        at = program.holding
        assert at is not None
        backends = ClaimBackends(SUBJECT, cast("Any", self), self.claims, self.clock)
        request = program.asker.request(program.route, self.context)
        held = HeldClaim(
            request, backends, at.points, lambda: hold_ms(self.context), wall_ms(at.asked) / 1000, by_redis=at.by_redis
        )
        held._stands_ms = at.stands_ms
        if at.lost:
            held.lost.set()
        return held


def sure(program: Program, now: int) -> bool:
    """Whether the attempt may begin or answer by its own clock: nobody can have taken the claim over."""
    return _Environment(program, Outside(now, (), unavailable)).held(program).sure_ms > 0


def _ask(program: Program, environment: _Environment) -> Holding | Heard:
    scope = {**_SCOPE, **({} if environment.context is None else {"aws.context": environment.context})}
    request = program.asker.request(program.route, environment.context)
    attempt = ClaimAttempt(request, SUBJECT, cast("Environment", environment), scope, cast("Body", None))
    answer = environment.admit(Question(SUBJECT, claim=request))
    try:
        found = awaited(attempt.take(answer))
    except StoreUnavailableError:
        return Heard(503, b"unguarded")
    return _holding(attempt.held) if found is None else _heard(found)


def _renew(program: Program, environment: _Environment) -> Holding:
    held = environment.held(program)
    held.live_on()
    return _holding(held)


def _record(program: Program, environment: _Environment) -> Holding | Heard:
    held = environment.held(program)
    try:
        kept = held.keep(point(program.asker))
    except StoreUnavailableError:
        return Heard(500, b"the handler has failed")
    return _holding(held) if kept else Heard(409, b"claim-superseded")


def point(asker: Asker) -> bytes:
    """Return the recovery points of an attempt that has recorded its own."""
    return b'{"charged": %d}' % asker.number


def _settle(program: Program, environment: _Environment) -> Heard:
    answer, told = program.answer, list[Heard]()
    assert answer is not None
    response = StoredResponse(answer.status, ((b"by", program.asker.attempt_id.encode()),), answer.body)

    async def refuse(problem: Problem) -> None:
        told.append(_problem(problem))

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body":
            told.append(Heard(answer.status, message["body"]))

    idempotent_run = IdempotentRun(
        cast("Any", None),
        cast("Environment", environment),
        environment.held(program),
        Policy(idempotent=True),
        cast("Any", send),
        tuple,
        refuse,
        cast("Any", None),
        late=False,
    )
    awaited(idempotent_run._settle(response, begun=True))
    return told[0]


_DOES: dict[str, Callable[[Program, _Environment], Holding | Heard]] = {
    "ask": _ask,
    "renew": _renew,
    "record": _record,
    "settle": _settle,
}


def _holding(held: HeldClaim) -> Holding:
    asked = round((held._asked_s * 1000 - wall_ms(0)) / (wall_ms(1) - wall_ms(0)))
    return Holding(asked, held._stands_ms, held._by_redis, held._points, held.lost.is_set())


def _heard(found: Found) -> Heard:
    known = found.known
    if isinstance(known, Replay):
        return Heard(known.response.status, known.response.body or b"", replayed=True)
    return _problem(known)


def _problem(problem: Problem) -> Heard:
    return Heard(problem.status, problem.type.rsplit(":", 1)[1].encode())

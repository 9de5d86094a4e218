"""THE WAY OF A REQUEST, in reading order.

    identify ─ shed ─ ADMIT ─ run ─ SETTLE

`Guard.__call__` is that line. identify and shed do no I/O. admit asks the stores one question in one round
trip. run is the handler, a replay or a refusal. settle writes, and only if there is something to write.
A refusal is a value (`Problem`), never an exception; nothing that a store does reaches the client as one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from starlette.types import ASGIApp, Receive, Scope, Send

from tidegate.admission import Admission
from tidegate.asgi import Captured, Outgoing, respond, send_whole
from tidegate.body import Body, BodyTooLargeError, Reread, read_body
from tidegate.claimed import ClaimedRun
from tidegate.errors import ConfigurationError, StoreUnavailableError
from tidegate.http import Problem
from tidegate.identity import Identify, caller_of
from tidegate.lifecycle import Environment, Lifecycle
from tidegate.mechanisms import idempotency, limits
from tidegate.mechanisms.claiming import Claiming
from tidegate.mechanisms.fingerprint import Fingerprint
from tidegate.mechanisms.idempotency import Replay
from tidegate.mechanisms.queued_run import queued_run
from tidegate.mechanisms.renewal import is_bounded
from tidegate.mechanisms.shedding import Visit
from tidegate.question import Answer, Charge, Question
from tidegate.record import StoredResponse
from tidegate.routing import UNMATCHED, RouteTable
from tidegate.telemetry import RequestLine, logger, write
from tidegate.unbroken import unbroken
from tidegate.unhandled import answer_unhandled

if TYPE_CHECKING:
    from tidegate.caching.voider import Voider
    from tidegate.mechanisms.caching import Caching


class Guard:
    """Pure ASGI middleware that lets a request through, answers it from the stores, or refuses it.

    Args:
        app: what it protects.
        lifecycle: holds the environment's parts.
        routes: makes the route table at the first request, when all routes are declared.
        identify: finds the principal; the environment's `Identifier` if None.
        requests: the path below which queued requests are found; None if there is none.
    """

    def __init__(
        self,
        app: ASGIApp,
        lifecycle: Lifecycle,
        routes: Callable[[], RouteTable],
        identify: Identify | None = None,
        requests: str | None = None,
    ) -> None:
        self._app = app
        self._requests = requests or ""
        self._lifecycle = lifecycle
        self._routes = routes
        self._identify = identify

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take one request from its entry to its answer."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._start(receive, send)
            await self._app(scope, receive, send)
            return
        environment = self._lifecycle.environment
        out = Outgoing(send)
        way = _Way(self._app, environment, scope, receive, out, self._requests)
        try:
            way.identify(self._routes(), self._identify or environment.identify)
            refusal = way.shed() or await way.prepare()
            if refusal is None:
                await way.proceed()
            else:
                await way.refuse(refusal)
        except Exception as error:
            begun = out.started
            await way.fail(error, out)
            if begun:  # an answer that has begun can't be taken back: the server ends the connection
                raise
        finally:
            way.withdraw()
            await way.end()
            self._lifecycle.after_request()

    async def _start(self, receive: Receive, send: Send) -> None:
        """Where a server starts the application: what is wrong must show now, not at the first request.

        It is said by the lifespan protocol's own message: a server takes a bare exception for an application
        that knows no lifespan, and serves it.
        """
        try:
            self._routes()
        except ConfigurationError as error:
            await receive()
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            raise


class _Way:
    """One request's way; its methods are the stations, in order."""

    def __init__(
        self, app: ASGIApp, environment: Environment, scope: Scope, receive: Receive, out: Outgoing, requests: str
    ) -> None:
        self._app = app
        self._requests = requests
        self._environment = environment
        self._scope = scope
        self._receive = receive
        self._out = out
        self._began = environment.clock.monotonic()
        self._visit: Visit | None = None
        self._claiming: Claiming | None = None
        self._queued = queued_run(scope)
        self._key: str | None = None
        self._printed = ""
        self._body: Body | None = None
        self._caching: Caching | None = None
        self._left = False  # the server has given the request up; it goes on to its end
        self._bill = limits.NO_BILL
        self._owing = False  # whether the bill was charged, and is still to be put right
        self._wait_us = 0
        self._line = RequestLine(scope["method"], UNMATCHED, "unknown")
        if environment.outcomes is not None:
            environment.outcomes.began(scope)

    # ── identify: who, which route, which policy ────────────────────────────────────────────────────────────

    def identify(self, routes: RouteTable, identify: Identify) -> None:
        """Find the principal, the route and its policy; open the line that will be logged."""
        self._route = routes.find(self._scope)
        self._policy = self._route.policy
        self._caller = caller_of(identify(self._scope)) if self._queued is None else self._queued.caller
        self._principal = self._caller.principal
        self._subject = limits.subject(self._environment.settings.namespace, self._caller)
        self._admission = Admission(self._principal, self._route.route, organisation=self._caller.organisation)
        self._scope.setdefault("state", {})["tidegate"] = self._admission
        self._line.route, self._line.principal = self._route.route, self._principal
        self._admission.voider = lambda: _voider(self._environment, routes)
        if self._policy.captures:
            from tidegate.mechanisms.caching import Caching  # noqa: PLC0415  only cached routes need it

            self._caching = Caching(self._environment, self._scope, self._route, self._admission, self._out)

    # ── shed: is there capacity for it? ─────────────────────────────────────────────────────────────────────

    def shed(self) -> Problem | None:
        """Refuse what capacity is too short for, by what this environment knows already."""
        if self._queued is not None:  # it was accepted, and its worker runs no more than it can
            self._admission.criticality = self._policy.priority
            return None
        self._visit = visit = self._environment.shedder.enter(self._scope, self._route, self._caller)
        self._admission.criticality, self._admission.ends = visit.criticality, visit.ends
        decision = visit.decision
        if decision.pressed_by is not None:
            self._line.pressure, self._line.pressed_by = decision.pressure, decision.pressed_by
            self._line.criticality = visit.criticality
            self._line.shed = decision.pressed_by if decision.refused else None
        refusal = visit.refusal()
        if refusal is None:
            visit.bequeath()
        else:
            self._line.outcome = "shed"
        return refusal

    def withdraw(self) -> None:
        """End what the handler's calls inherit, in the context in which it began."""
        if self._visit is not None:
            self._visit.withdraw()

    # ── admit: the one question ─────────────────────────────────────────────────────────────────────────────

    async def prepare(self) -> Problem | None:
        """Describe the claim that it is to run under; a key or body that can't be taken is refused here."""
        if not self._policy.takes_claims and self._queued is None:
            return None
        key, fingerprint = idempotency.read_key(self._scope, needed=self._policy.idempotent), Fingerprint(self._scope)
        if isinstance(key, Problem):
            return key
        try:
            self._body = await read_body(self._receive, self._policy.max_body_bytes, fingerprint.update)
        except BodyTooLargeError:
            return idempotency.body_too_large(self._policy.max_body_bytes)
        except ConnectionError:
            return idempotency.body_incomplete()
        self._key, self._printed = key, fingerprint.hexdigest()
        key = key if self._queued is None else self._queued.key
        if key is None:
            return None
        environment, printed = self._environment, self._printed
        claim = idempotency.request_claim(key, printed, self._scope, self._route, self._principal, environment.settings)
        self._claiming = Claiming(claim, self._subject, environment, self._scope.get("aws.context"))
        return None

    async def proceed(self) -> None:
        """Go on to the answer. With a claim, this ends even if the server cancels the request half-way."""
        if self._claiming is None or is_bounded(self._scope.get("aws.context")):  # nobody cancels an invocation
            await self._proceed()
        else:
            await unbroken(self._to_its_end(), self._leave)

    async def _proceed(self) -> None:
        match await self.admit():
            case Problem() as refusal:
                await self.refuse(refusal)
            case Replay() as replay:
                await self.replay(replay)
            case StoredResponse() as accepted:
                self._line.outcome = "queued"
                await send_whole(self._out, accepted)
            case None:
                await self.run()

    async def _to_its_end(self) -> None:
        try:
            await self._proceed()
        finally:
            if self._left:
                self._left = False
                await self.end()

    def _leave(self) -> None:
        self._left = self._out.gone = True

    async def admit(self) -> Problem | Replay | StoredResponse | None:
        """Ask the stores; return a refusal, an earlier answer, a 202, or None if the handler may run."""
        if (self._policy.asks_nothing and self._queued is None) or (self._caching and self._caching.refreshes):
            return None
        claim = None if self._claiming is None else self._claiming.request
        environment, now_us = self._environment, self._environment.clock.wall_us()
        asking = limits.Asking(self._caller, self._scope, now_us)
        self._bill = limits.bill(self._route, asking, environment.settings.namespace, environment.overrides.current)
        cache = None if self._caching is None else self._caching.request
        question = Question(self._subject, self._bill.charges, claim, self._policy.on_outage, cache=cache)
        asked = environment.clock.monotonic()
        answer = await environment.decide(lambda: environment.stores.admit(question))
        self._line.admission_ms = _ms(environment.clock.monotonic() - asked)
        environment.shedder.observe("store", self._line.admission_ms)
        self._line.store = self._admission.store = answer.store
        verdict = limits.read(self._bill, answer, now_us)
        self._out.fields = verdict.fields
        self._line.shadowed = verdict.shadowed or None
        if verdict.refusal is not None:
            self._line.outcome = "limited"
            known = await self._claiming.recall(answer) if self._claiming else None
            return known or await self._overflow(verdict.refusal, verdict.passes_in_us)
        self._line.outcome = "admitted"
        self._owing, self._wait_us = bool(answer.limits), verdict.wait_us
        if self._caching is not None:
            self._caching.read(answer)
        return None if self._claiming is None else await self._take_claim(self._claiming, answer)

    async def _overflow(self, refusal: Problem, passes_in_us: int | None) -> Problem | StoredResponse:
        """Let a request that will pass wait in the queue, if its route says so; one that comes from there tell when."""
        if self._queued is not None:
            self._queued.passes_in_us = passes_in_us
        if self._queued is not None or passes_in_us is None or self._body is None or self._policy.overflow is None:
            return refusal
        from tidegate.mechanisms.overflow import Overflowing, overflow  # noqa: PLC0415  only what overflows needs it

        asked = Overflowing(
            self._scope, self._route, self._caller, self._key, self._printed, self._body, refusal, passes_in_us
        )
        return await overflow(asked, self._environment, self._requests)

    async def _take_claim(self, claiming: Claiming, answer: Answer) -> Problem | Replay | None:
        try:
            found = await claiming.take(answer)
        except StoreUnavailableError as error:
            self._line.reason = error.kind
            return idempotency.unguarded()
        if found is None:
            self._admission.claim, self._admission.steps = claiming.told()
        return found

    # ── run: the handler, or the refusal ────────────────────────────────────────────────────────────────────

    async def refuse(self, refusal: Problem) -> None:
        """Answer with a problem."""
        if self._line.outcome not in {"limited", "shed"}:
            self._line.outcome = "refused"
        self._line.reason = self._line.reason or refusal.type
        await respond(self._out, refusal)

    async def replay(self, replay: Replay) -> None:
        """Answer as the first time, byte for byte, and say so."""
        self._line.outcome = "replayed"
        await send_whole(self._out, replay.response, idempotency.REPLAYED)

    async def run(self) -> None:
        """Run the application: streaming as it likes, or, for an idempotent route, captured and settled."""
        if self._wait_us:  # a leaky bucket's reserved start
            self._line.waited_ms = self._wait_us / 1000
            await asyncio.sleep(self._wait_us / 1_000_000)
        if self._claiming is not None and self._claiming.holding.sure_ms <= 0:  # frozen since: another may have begun
            await self.refuse(idempotency.superseded())
            return
        held = self._bill.renewals() if self._owing else ()
        if not held:
            await self._run()
            return
        from tidegate.mechanisms.slots import kept  # noqa: PLC0415  only routes with slots need it

        async with kept(held, self._subject, self._environment):
            await self._run()

    async def _run(self) -> None:
        if self._caching is not None:
            await self._caching.run(self._app, self._receive, self._subject, lambda: self._due("redis"))
        elif self._body is None:
            await self._app(self._scope, self._receive, self._out)
        elif self._claiming is None:
            await self._app(self._scope, Reread(self._body, self._receive, answered=True), self._out)
        else:
            claimed = ClaimedRun(
                self._app if self._queued is None else self._queued.beginning(self._app),
                self._environment,
                self._claiming.holding,
                self._policy.keep_5xx,
                self._out,
                due=lambda: self._due("redis"),
                refuse=self.refuse,
                fail=self.fail,
            )
            await claimed.run(self._scope, Reread(self._body, self._receive))

    async def fail(self, error: Exception, send: Captured | Outgoing) -> None:
        """Log an unhandled exception; answer it if nothing was answered yet."""
        self._line.outcome, self._line.reason = "failed", type(error).__name__
        logger().exception("unhandled exception", extra={"route": self._line.route})
        if not send.started:
            await answer_unhandled(error, self._scope, self._receive, send)

    # ── settle: what must be written before the client may know ─────────────────────────────────────────────

    async def end(self) -> None:
        """Let go of what the request holds, and write its line, when all is done."""
        if self._left:
            return
        if self._visit is not None:
            self._visit.leave(ran=self._line.outcome in {"admitted", "unguarded"})
        if self._claiming is not None:
            self._claiming.end()
        if self._body is not None:
            self._body.close()
        if due := self._due(self._line.store):
            await self._put_right(due)
        self._report()

    async def _put_right(self, due: tuple[Charge, ...]) -> None:
        """Put right what the request was charged, where the settlement did not: a slot freed, a cost as it was."""
        stores, store, subject = self._environment.stores, self._line.store, self._subject
        with suppress(StoreUnavailableError):  # a slot's lease ends by itself
            await self._environment.call(lambda: stores.correct(store, subject, due))

    def _due(self, store: str | None) -> tuple[Charge, ...]:
        """Take what is still to be put right, if that store decided."""
        if not self._owing or store != self._line.store:
            return ()
        self._owing = False
        return self._bill.corrections(self._admission.units)

    def _report(self) -> None:
        self._line.status = self._out.status
        self._line.cache = None if self._caching is None else self._caching.word
        took_s = self._environment.clock.monotonic() - self._began
        self._line.duration_ms = _ms(took_s)
        if self._environment.outcomes is not None:
            own = self._line.outcome != "replayed"
            self._environment.outcomes.ended(self._scope, self._line.status, took_s, own=own)
        context = self._scope.get("aws.context")
        write(self._line, getattr(context, "aws_request_id", None), self._environment.settings.release)


def _voider(environment: Environment, routes: RouteTable) -> Voider:
    from tidegate.caching.voider import Voider  # noqa: PLC0415  only what invalidates needs it

    return Voider(environment, routes)


def _ms(seconds: float) -> float:
    return int(seconds * 1_000_000 + 0.5) / 1000  # `round` takes four times as long

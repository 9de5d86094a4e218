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
from tidegate.mechanisms.renewal import is_bounded
from tidegate.question import Answer, Charge, Question
from tidegate.routing import UNMATCHED, RouteTable
from tidegate.telemetry import RequestLine, logger, write
from tidegate.unbroken import unbroken
from tidegate.unhandled import answer_unhandled


class Guard:
    """Pure ASGI middleware that lets a request through, answers it from the stores, or refuses it.

    Args:
        app: what it protects.
        lifecycle: holds the environment's parts.
        routes: makes the route table at the first request, when all routes are declared.
        identify: finds the principal; the environment's `Identifier` if None.
    """

    def __init__(
        self,
        app: ASGIApp,
        lifecycle: Lifecycle,
        routes: Callable[[], RouteTable],
        identify: Identify | None = None,
    ) -> None:
        self._app = app
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
        way = _Way(self._app, environment, scope, receive, out)
        try:
            way.identify(self._routes(), self._identify or environment.identify)
            refusal = await way.prepare()
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

    def __init__(self, app: ASGIApp, environment: Environment, scope: Scope, receive: Receive, out: Outgoing) -> None:
        self._app = app
        self._environment = environment
        self._scope = scope
        self._receive = receive
        self._out = out
        self._began = environment.clock.monotonic()
        self._claiming: Claiming | None = None
        self._body: Body | None = None
        self._left = False  # the server has given the request up; it goes on to its end
        self._bill = limits.Bill()
        self._owing = False  # whether the bill was charged, and is still to be put right
        self._wait_us = 0
        self._line = RequestLine(scope["method"], UNMATCHED, "unknown")

    # ── identify: who, which route, which policy ────────────────────────────────────────────────────────────

    def identify(self, routes: RouteTable, identify: Identify) -> None:
        """Find the principal, the route and its policy; open the line that will be logged."""
        self._route = routes.find(self._scope)
        self._policy = self._route.policy
        self._caller = caller_of(identify(self._scope))
        self._principal = self._caller.principal
        self._subject = limits.subject(self._environment.settings.namespace, self._caller)
        self._admission = Admission(self._principal, self._route.route, organisation=self._caller.organisation)
        self._scope.setdefault("state", {})["tidegate"] = self._admission
        self._line = RequestLine(self._scope["method"], self._route.route, self._principal)

    # ── admit: the one question ─────────────────────────────────────────────────────────────────────────────

    async def prepare(self) -> Problem | None:
        """Describe the claim of an idempotent route; a key or body that can't be taken is refused here."""
        if not self._policy.idempotent:
            return None
        key, fingerprint = idempotency.read_key(self._scope), Fingerprint(self._scope)
        if isinstance(key, Problem):
            return key
        try:
            self._body = await read_body(self._receive, self._policy.max_body_bytes, fingerprint.update)
        except BodyTooLargeError:
            return idempotency.body_too_large(self._policy.max_body_bytes)
        except ConnectionError:
            return idempotency.body_incomplete()
        environment, printed = self._environment, fingerprint.hexdigest()
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

    async def admit(self) -> Problem | Replay | None:
        """Ask the stores; return a refusal, the answer that was given before, or None if the handler may run."""
        if self._policy.asks_nothing:
            return None
        claim = None if self._claiming is None else self._claiming.request
        environment, now_us = self._environment, self._environment.clock.wall_us()
        asking = limits.Asking(self._caller, self._scope, now_us)
        self._bill = limits.bill(self._route, asking, environment.settings.namespace, environment.overrides.current)
        question = Question(self._subject, self._bill.charges, claim, self._policy.on_outage)
        asked = environment.clock.monotonic()
        answer = await environment.decide(lambda: environment.stores.admit(question))
        self._line.admission_ms = _ms(environment.clock.monotonic() - asked)
        self._line.store = self._admission.store = answer.store
        verdict = limits.read(self._bill, answer, now_us)
        self._out.fields = verdict.fields
        self._line.shadowed = verdict.shadowed or None
        if verdict.refusal is not None:
            self._line.outcome = "limited"
            return (await self._claiming.recall(answer) if self._claiming else None) or verdict.refusal
        self._line.outcome = "admitted"
        self._owing, self._wait_us = bool(answer.limits), verdict.wait_us
        return None if self._claiming is None else await self._take_claim(self._claiming, answer)

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
        if self._line.outcome != "limited":
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
        if self._claiming is None or self._body is None:
            await self._app(self._scope, self._receive, self._out)
        else:
            claimed = ClaimedRun(
                self._app,
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
        if self._claiming is not None:
            self._claiming.end()
        if self._body is not None:
            self._body.close()
        await self._put_right()
        self._report()

    async def _put_right(self) -> None:
        """Put right what the request was charged, where the settlement did not: a slot freed, a cost as it was."""
        due = self._due(self._line.store)
        if due:
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
        self._line.duration_ms = _ms(self._environment.clock.monotonic() - self._began)
        context = self._scope.get("aws.context")
        write(self._line, getattr(context, "aws_request_id", None), self._environment.settings.release)


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)

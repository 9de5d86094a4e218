"""The stations of a request's pipeline, in reading order; `guard` takes each request through them.

    identify ─ shed ─ read_claim ─ ADMIT ─ run ─ SETTLE
                                     └── refuse, replay, or accept into the queue

`identify` and `shed` do no I/O. `read_claim` reads the body where a request may claim its idempotency key. `admit` asks
the stores one question in one round trip. `run` is the application. `settle` writes only what is left to write.
A refusal is a value (`Problem`), never an exception; nothing that a store does reaches the client as one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from contextlib import nullcontext

from starlette.types import Receive, Scope

from tidegate.asking import ask
from tidegate.enforcement import execution
from tidegate.environment import Environment
from tidegate.errors import StoreUnavailableError
from tidegate.guarded import GUARDED, NOT_IDENTIFIED, GuardedApp, RequestContext
from tidegate.handlers_view import handlers_view
from tidegate.idempotency import protocol as idempotency
from tidegate.idempotency.attempt import ClaimAttempt
from tidegate.idempotency.protocol import Found, Replay
from tidegate.idempotency.read_ahead import ReadAhead, read_ahead
from tidegate.idempotency.renewal import is_bounded
from tidegate.idempotency.run import IdempotentRun
from tidegate.identity.caller import NOT_TOLD, Caller, caller_of
from tidegate.identity.credentials import made_under
from tidegate.limits import charges as limits
from tidegate.limits.charges import NOTHING_CHARGED, LimitCharges
from tidegate.messages import Answer, Charge, Question
from tidegate.routing import HANDSHAKE, UNMATCHED, RoutePolicy, RouteTable, path_of
from tidegate.shedding.shedder import SheddingTicket
from tidegate.telemetry import RequestLine, log_unhandled
from tidegate.web.asgi import ResponseRecorder, ResponseSender, send_whole
from tidegate.web.body import Reread
from tidegate.web.error_handlers import FIELDS, answer_unhandled
from tidegate.web.known_response import StandingIn, readdressed
from tidegate.web.problems import SAFE_METHODS, Headers, Problem
from tidegate.web.shield import run_uncancelled
from tidegate.web.stored_response import StoredResponse


class Pipeline:
    """One request; its public methods are the stations, in order.

    Args:
        guarded: the application.
        environment: the environment's parts.
        scope: the request's.
        receive: the server's.
        out: the way to the client.

    Attributes:
        context: what the request is, as `identify` has found it.
        attempt: its attempt to claim its idempotency key; None: it needs no claim.
        error: what the application raised, once it is answered.
    """

    def __init__(
        self, guarded: GuardedApp, environment: Environment, scope: Scope, receive: Receive, out: ResponseSender
    ) -> None:
        self._guarded = guarded
        self._environment = environment
        self._scope = scope
        self._receive = receive
        self._out = out
        began_s = environment.clock.monotonic()
        self._line = RequestLine(
            scope.get("method", HANDSHAKE), UNMATCHED, NOT_IDENTIFIED.caller.principal, began_s=began_s
        )
        self.context = NOT_IDENTIFIED
        self._ticket: SheddingTicket | None = None
        self._read: ReadAhead | None = None
        self.attempt: ClaimAttempt | None = None
        self._charges = NOTHING_CHARGED
        self.error: Exception | None = None
        if environment.outcomes is not None and scope["type"] == "http":
            environment.outcomes.began(scope)

    # ── identify: which route, which policy, who asks ───────────────────────────────────────────────────────

    def identify(self) -> RequestContext:
        """Find the route, its policy and who asks."""
        routes = self._guarded.routes()
        route = routes.find(self._scope)
        self._scope[GUARDED] = self._guarded.note(self._scope, route.policy)
        try:
            return self._identified(route, routes)
        except Exception:
            self.context = NOT_IDENTIFIED._replace(route=route)  # the failure counts under its route
            raise

    def _identified(self, route: RoutePolicy, routes: RouteTable) -> RequestContext:
        scope, environment, line = self._scope, self._environment, self._line
        caller = self._guarded.exempted(scope, route, self._caller(), environment)
        subject = limits.subject(environment.settings.namespace, caller)
        changes = routes.cached and scope.get("method", "GET") not in SAFE_METHODS
        changed = path_of(scope) if changes else None
        admission = handlers_view(scope, route, caller, routes, environment, changed)
        line.route, line.principal, line.exempt = route.route, caller.principal, caller.exempt or None
        if environment.outcomes is not None:
            environment.outcomes.route = route
        cache = None
        if route.policy.captures:
            from tidegate.cache.lookup import Caching  # noqa: PLC0415  only cached routes need it

            cache = Caching(environment, scope, route, routes, caller, admission=admission, out=self._out)
        return RequestContext(route, route.policy, caller, subject, admission, changed, cache)

    def _caller(self) -> Caller:
        found = NOT_TOLD if self._guarded.identify is None else self._guarded.identify(self._scope)
        return caller_of(self._environment.identify(self._scope) if found is NOT_TOLD else found)

    # ── shed: is there capacity for it? ─────────────────────────────────────────────────────────────────────

    def shed(self) -> Problem | None:
        """Refuse what capacity is too short for, by what this environment knows already."""
        scope, context, line = self._scope, self.context, self._line
        if scope["type"] != "http":  # a websocket lasts, and is no work
            context.admission.criticality = context.policy.priority
            return None
        self._ticket = ticket = self._environment.shedder.enter(scope, context.route, context.caller)
        context.admission.criticality, context.admission.ends = ticket.criticality, ticket.ends
        decision = ticket.decision
        if decision.pressed_by is not None:
            line.pressure, line.pressed_by = decision.pressure, decision.pressed_by
            line.criticality = ticket.criticality
            line.shed = decision.pressed_by if decision.refused else None
        refusal = ticket.refusal()
        if refusal is not None:
            line.outcome = "shed"
            return refusal
        ticket.enter_context()
        if "aws.context" not in scope:
            from tidegate.shedding.uploading import Uploading  # noqa: PLC0415  an invocation has its body at once

            self._receive = Uploading(self._receive, ticket)
        return None

    # ── read_claim: its body and its key ────────────────────────────────────────────────────────────────────

    async def read_claim(self) -> Problem | None:
        """Read the body and the idempotency key where the route takes claims; refuse what can't be read."""
        context, environment = self.context, self._environment
        if not context.policy.takes_claims:
            return None
        caller, route = context.caller, context.route
        under = made_under(self._scope, caller, route.reads, environment.settings.principal_key)
        read = await read_ahead(self._scope, self._receive, route, caller.principal, under, environment.uploads)
        if read is None or isinstance(read, Problem):
            return read
        self._read = read
        if read.key is not None:
            self.attempt = self._attempt(read.key, read.fingerprint, read)
        return None

    def _attempt(self, key: str, fingerprint: str, read: ReadAhead) -> ClaimAttempt:
        context, environment, scope = self.context, self._environment, self._scope
        request = idempotency.request_claim(
            key, fingerprint, scope, context.route, context.caller.principal, environment.settings
        )
        return ClaimAttempt(request, context.subject, environment, scope, read.body, context.policy.find)

    # ── admit: the one question ─────────────────────────────────────────────────────────────────────────────

    def admit_and_run(self) -> Awaitable[None]:
        """Admit the request, and answer it. With a claim, this ends even if the server cancels the request half-way."""
        if self.attempt is None or is_bounded(self._scope.get("aws.context")):  # nobody cancels an invocation
            return self._admit_and_run()
        return run_uncancelled(self._admit_run_and_settle(), self._leave)

    async def _admit_and_run(self) -> None:
        match await self.admit():
            case None:
                await self.run()
            case Problem() as refusal:
                await self.refuse(refusal)
            case Found() as found:
                await self.replay(found)
            case StoredResponse() as accepted:
                self._line.outcome = "queued"
                await send_whole(self._out, accepted)

    async def _admit_run_and_settle(self) -> None:
        try:
            await self._admit_and_run()
        finally:
            if self._out.gone:  # the guard has left, and settles nothing
                await self.settle()

    def _leave(self) -> None:
        self._out.gone = True

    async def admit(self) -> Problem | Found | StoredResponse | None:
        """Ask the stores; return a refusal, an earlier answer, a 202, or None if the handler may run."""
        context, environment, attempt, line = self.context, self._environment, self.attempt, self._line
        if attempt is None and (context.asks_nothing or (context.cache and context.cache.refreshes)):
            return None
        asking = limits.ChargeContext(context.caller, self._scope, now_us := environment.clock.wall_us())
        overrides = environment.overrides.current
        charged = limits.charge_set(context.route, asking, environment.settings.namespace, overrides)
        claim = None if attempt is None else attempt.request
        cache = None if context.cache is None else context.cache.request
        question = Question(context.subject, charged.charges, claim, context.policy.on_outage, cache=cache)
        if charged.refusal is not None or question.asks_nothing:  # its cost isn't known, or no limit applies to it
            return charged.refusal
        asked_s = environment.clock.monotonic()
        answer = await ask(question, charged, environment)
        line.admission_ms = _ms(environment.clock.monotonic() - asked_s)
        environment.shedder.observe("store", line.admission_ms)
        line.charge_set, line.store = charged, answer.store
        context.admission.store = answer.store
        self._charges = LimitCharges(charged)
        verdict = self._charges.read(answer, now_us)
        self._out.fields = verdict.fields
        line.shadowed = verdict.shadowed or None
        if verdict.refusal is not None:
            line.outcome = "limited"
            known = await attempt.recall(answer) if attempt else None
            return known or await self._overflow(verdict.refusal, verdict.passes_in_us)
        line.outcome = "admitted"
        if context.cache is not None:
            context.cache.read(answer)
        return None if attempt is None else await self._take_claim(attempt, answer)

    async def _overflow(self, refusal: Problem, passes_in_us: int | None) -> Problem | StoredResponse:
        """Let a request that will pass wait in the queue, if its route says so."""
        context, read = self.context, self._read
        if passes_in_us is None or read is None or context.policy.overflow is None:
            return refusal
        from tidegate.overflow.enqueue import OverflowRequest, overflow  # noqa: PLC0415  only what overflows needs it

        asked = OverflowRequest(
            self._scope,
            context.route,
            context.caller,
            read.key,
            read.fingerprint,
            read.body,
            refusal,
            passes_in_us,
            context.admission.credentials(self._scope),
        )
        return await overflow(asked, self._environment, self._guarded.requests)

    async def _take_claim(self, attempt: ClaimAttempt, answer: Answer) -> Problem | Found | None:
        try:
            found = await attempt.take(answer)
        except StoreUnavailableError as error:
            self._line.reason = error.kind
            return idempotency.unguarded()
        if found is None:
            self.context.admission.claim, self.context.admission.steps = attempt.told()
        return found

    # ── run: the handler, an earlier answer, or the refusal ─────────────────────────────────────────────────

    async def run(self) -> None:
        """Run the application when its turn has come, while its slots are kept."""
        if self._charges.wait_us:
            await self._wait_for_start(self._charges.wait_us)
        if self.attempt is not None and self.attempt.held.sure_ms <= 0:  # frozen since: another may have begun
            await self.refuse(idempotency.superseded())
            return
        slots = self._charges.renewals()
        if not slots:
            await self._run_app()
            return
        from tidegate.limits.slots import kept, waited_for  # noqa: PLC0415  only routes with slots need it

        # A websocket waits for its client by its nature.
        uploads = self._environment.uploads if self._scope["type"] == "http" else None
        has_read = self._read is not None
        async with kept(slots, self.context.subject, self._environment):
            with waited_for(uploads, self._receive, self._out, read=has_read) as self._receive:
                await self._run_app()

    async def _wait_for_start(self, wait_us: int) -> None:
        """Wait for the start that a leaky bucket has reserved."""
        self._line.waited_ms = wait_us / 1000
        on_lambda = "aws.context" in self._scope  # there it keeps an environment from other requests
        with nullcontext() if self._ticket is None or on_lambda else self._ticket.waiting():
            await asyncio.sleep(wait_us / 1_000_000)

    async def _run_app(self) -> None:
        """Run it under its claim, through the cache, or with its answer streamed as it likes."""
        app, context, scope, read = self._guarded.app, self.context, self._scope, self._read
        if context.changed is not None:
            from tidegate.cache.changes import Changes  # noqa: PLC0415  only where something is cached

            self._out.before = Changes(self._guarded.routes(), scope, context.changed, context.admission)
        if self.attempt is not None and read is not None:
            await self._idempotent_run(self.attempt).run(scope, Reread(read.body, self._receive))
            return
        token = execution.set(context.route.admitted)
        try:
            if context.cache is not None:
                await context.cache.run(app, self._receive, context.subject, self._take_corrections_for_redis)
            elif read is None:
                await app(scope, self._receive, self._out)
            else:
                await app(scope, Reread(read.body, self._receive, answered=True), self._out)
        finally:
            execution.reset(token)

    def _idempotent_run(self, attempt: ClaimAttempt) -> IdempotentRun:
        return IdempotentRun(
            self._guarded.app,
            self._environment,
            attempt.held,
            self.context.policy,
            self._out,
            late=self.context.route.reads.ends_late,
            take_corrections=self._take_corrections_for_redis,
            refuse=self.refuse,
            fail=self.fail,
        )

    def _take_corrections_for_redis(self) -> tuple[Charge, ...]:
        """Take what a settlement in Redis can carry along."""
        return self._charges.take_corrections(self.context.admission.units, "redis")

    async def replay(self, found: Found) -> None:
        """Answer what is known of the key, once the application has let the request through to its handler.

        Its authentication and validation run for a replay as for a first request; only the handler doesn't.
        """
        if self._read is None:
            await self._tell(found)
            return
        if beyond := self._environment.replays.take(self.context.subject, found.size_bytes):
            self._line.outcome = "limited"
            await self.refuse(beyond)
            return
        standing_in = StandingIn(self._guarded.app, self.context.policy, self._out)
        if await standing_in.run(self._scope, Reread(self._read.body, self._receive, answered=True)):
            await self._tell(found, standing_in.fields)

    async def _tell(self, found: Found, fields: Headers = ()) -> None:
        match found.known:
            case Problem() as refusal:
                await self.refuse(refusal)
            case Replay(response):
                self._line.outcome = "replayed"
                await send_whole(self._out, readdressed(response, fields), idempotency.REPLAYED)

    async def refuse(self, refusal: Problem) -> None:
        """Answer with a problem."""
        line = self._line
        line.outcome = line.outcome if line.outcome in {"limited", "shed"} else "refused"
        line.reason = line.reason or refusal.type
        await self._guarded.refuse(self._out, refusal, self._scope, self.context)

    async def fail(self, error: Exception, send: ResponseRecorder | ResponseSender) -> None:
        """Log an unhandled exception, and record the response that is kept of it; others answer it (see `guard`)."""
        self.error, line = error, self._line
        line.outcome, line.reason = "failed", type(error).__name__
        self._scope[FIELDS] = (*self._out.always, *self._out.fields)
        log_unhandled(line.route, self._scope, error)
        if isinstance(send, ResponseRecorder) and not send.started:
            await answer_unhandled(error, self._scope, self._receive, send)

    # ── settle: let go of what the request holds, and write its line ────────────────────────────────────────

    def exit_context(self) -> None:
        """End what the handler's calls inherit and the scope says, in the context in which it began."""
        self._scope.pop(GUARDED, None)
        if self._ticket is not None:
            self._ticket.exit_context()

    async def settle(self) -> None:
        """End what the request holds, correct what it was charged, and write its line, when all is done."""
        if self._ticket is not None:
            outcome = self._line.outcome
            self._ticket.leave(ran=outcome in {"admitted", "unguarded"}, failed=outcome == "failed")
        if self.attempt is not None:
            self.attempt.end()
        if self._read is not None:
            self._read.body.close()
        if corrections := self._charges.take_corrections(self.context.admission.units):
            await self._charges.apply_corrections(corrections, self.context.subject, self._environment)
        self._report()

    def _report(self) -> None:
        line, scope, environment = self._line, self._scope, self._environment
        line.status = self._out.status or (500 if self.error is not None and scope["type"] == "http" else None)
        line.cache = None if self.context.cache is None else self.context.cache.word
        line.duration_ms = _ms(took_s := environment.clock.monotonic() - line.began_s)
        if environment.outcomes is not None and scope["type"] == "http":
            environment.outcomes.ended(scope, line.status, took_s, line.outcome, self.context.route)
        self._guarded.report(line, scope, environment)


def _ms(seconds: float) -> float:
    return int(seconds * 1_000_000 + 0.5) / 1000  # `round` takes four times as long

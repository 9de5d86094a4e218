"""What becomes of a claim whose holder fell silent: `on_unknown="hold"`.

The holder may have crashed before its effect, or after it. Only what the effect was done to can tell, so the handler
isn't run again until the application's look-up has found out, or somebody has decided (`Gate.decide`).
"""

from __future__ import annotations

import binascii
import inspect
import json
import uuid
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, NamedTuple

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Scope

from tidegate.environment import Environment
from tidegate.errors import StoreUnavailableError
from tidegate.idempotency import protocol
from tidegate.idempotency.claim_store import ClaimStore
from tidegate.idempotency.held_claim import ClaimBackends
from tidegate.idempotency.recovery import read_points
from tidegate.messages import ClaimAnswer, ClaimRequest, Granted, OutcomeUnknown, Question, Settlement
from tidegate.telemetry import logger
from tidegate.web.asgi import ResponseRecorder
from tidegate.web.body import Body, Reread
from tidegate.web.stored_response import StoredResponse


class NotRun:
    """The kind of `NOT_RUN`."""

    def __repr__(self) -> str:
        return "NOT_RUN"


# The attempt had no effect: the handler may run.
NOT_RUN: Final = NotRun()


@dataclass(frozen=True, slots=True)
class UnknownAttempt:
    """An attempt that began and whose outcome isn't known.

    Attributes:
        claim_id: the claim's, from which the handler derives its own ids (see `Claim.id`).
        attempt_id: the attempt's.
        recovered: the recovery points that it and those before it have recorded, in order.
    """

    claim_id: str
    attempt_id: str
    recovered: Mapping[str, Any] = field(default_factory=dict)


Outcome = Response | NotRun | None
Find = Callable[[Request, UnknownAttempt], Outcome | Awaitable[Outcome]]


class LookUp(NamedTuple):
    """The application's look-up of an unknown outcome, for one request.

    Attributes:
        find: the route's; None: it has none.
        scope: the request's.
        body: its body.
    """

    find: Find | None
    scope: Scope
    body: Body

    async def outcome(self, claim_id: str, unknown: OutcomeUnknown) -> StoredResponse | NotRun | None:
        """Return what the application knows; None: nothing, or its look-up failed, which is logged."""
        if self.find is None:
            return None
        try:
            attempt = UnknownAttempt(claim_id, unknown.attempt_id, read_points(unknown.points))
            request = Request(self.scope, Reread(self.body, _nothing_more, answered=True))
            return await _response_of(await self._found(request, attempt), self.scope)
        except Exception:  # noqa: BLE001  the application's, whatever it is: what isn't found stays unknown
            logger().exception("look-up failed", extra={"claim": claim_id})
            return None

    async def _found(self, request: Request, attempt: UnknownAttempt) -> Any:
        find: Callable[[Request, UnknownAttempt], Any] | None = self.find
        if find is None:
            return None
        if inspect.iscoroutinefunction(find):
            found = await find(request, attempt)
        else:
            found = await run_in_threadpool(partial(find, request, attempt))
        return await found if inspect.isawaitable(found) else found


class UnknownClaim(NamedTuple):
    """A claim whose holder fell silent.

    Attributes:
        subject: whose it is, as in the question.
        request: the silent attempt's.
    """

    subject: str
    request: ClaimRequest

    @property
    def name(self) -> str:
        """Its name in the log, by which somebody decides on it: opaque, and safe in a URL."""
        request = self.request
        told = [
            self.subject,
            request.id,
            request.fingerprint,
            request.attempt_id,
            request.lifetime_ms,
            request.in_redis,
        ]
        return urlsafe_b64encode(json.dumps(told, separators=(",", ":")).encode()).rstrip(b"=").decode()

    @classmethod
    def named(cls, name: str) -> UnknownClaim:
        """Return the claim of a name.

        Raises:
            ValueError: it is no such name.
        """
        try:
            subject, claim_id, fingerprint, attempt_id, lifetime_ms, in_redis = json.loads(
                urlsafe_b64decode(name + "=" * (-len(name) % 4))
            )
            texts = (subject, claim_id, fingerprint, attempt_id)
        except (binascii.Error, ValueError, TypeError) as error:
            raise ValueError(f"{name!r} is no unknown claim's name; take it from the log line") from error
        if {*map(type, texts)} != {str} or type(lifetime_ms) is not int or type(in_redis) is not bool:
            raise ValueError(f"{name!r} is no unknown claim's name; take it from the log line")
        request = ClaimRequest(claim_id, fingerprint, attempt_id, 1000, lifetime_ms, in_redis, holds_unknown=True)
        return cls(subject, request)

    async def decide(self, outcome: StoredResponse | NotRun, environment: Environment) -> bool:
        """Settle the claim in its silent holder's place; False if it isn't that attempt's any more.

        Raises:
            StoreUnavailableError: not known to be settled.
        """
        record = None if isinstance(outcome, NotRun) else protocol.record_of(outcome)
        return await environment.claiming(lambda: self._settled(record, environment))

    def _settled(self, record: bytes | None, environment: Environment) -> bool:
        if self.request.in_redis:
            return environment.stores.settle(Settlement(self.subject, self.request, record, fenced=True))
        claims = _guard(environment)
        if record is None:
            return claims.release(self.request)
        done = claims.complete(self.request, record)
        if done:
            ClaimBackends(self.subject, environment.stores, claims, environment.clock).copy(self.request, record)
        return done

    async def ask(self, request: ClaimRequest, environment: Environment) -> ClaimAnswer:
        """Ask for the claim anew.

        Raises:
            StoreUnavailableError: the store that holds it doesn't answer.
        """
        if request.in_redis:
            question = Question(self.subject, claim=request)
            answer = await environment.decide.steps(environment.stores.admitting(question))
            if isinstance(answer.claim, ClaimAnswer):
                return answer.claim
            raise StoreUnavailableError("redis", "breaker-open", "Redis alone holds claims here")
        claims = _guard(environment)
        return await environment.claiming(lambda: claims.claim(request))


def _guard(environment: Environment) -> ClaimStore:
    if environment.claims is None:
        raise StoreUnavailableError("dynamodb", "breaker-open", "no store here holds this claim")
    return environment.claims


async def decide(name: str, outcome: Response | NotRun, environment: Environment) -> bool:
    """Decide on the unknown claim of a name, if its outcome is unknown still.

    Raises:
        ValueError: it is no such name, or the outcome is neither a response nor `NOT_RUN`.
        StoreUnavailableError: the store that holds the claim doesn't answer.
    """
    unknown = UnknownClaim.named(name)
    response = await _response_of(outcome, {"type": "http", "method": "POST", "headers": []})
    if response is None:
        raise ValueError("write a response, or NOT_RUN")
    # Its holder may have spoken since, or the claim may have been decided on: then nothing is unknown.
    probe = unknown.request._replace(attempt_id=uuid.uuid4().hex)
    answer = await unknown.ask(probe, environment)
    if isinstance(answer, Granted):
        await UnknownClaim(unknown.subject, probe).decide(NOT_RUN, environment)
    if not isinstance(answer, OutcomeUnknown) or answer.attempt_id != unknown.request.attempt_id:
        return False
    return await unknown.decide(response, environment)


async def _response_of(outcome: Any, scope: Scope) -> StoredResponse | NotRun | None:
    if outcome is None or isinstance(outcome, NotRun):
        return outcome
    if not isinstance(outcome, Response):
        raise TypeError(f"{outcome!r} is no outcome; return a Response, NOT_RUN, or None where it isn't known")
    rendered: list[StoredResponse] = []

    async def keep(response: StoredResponse) -> None:
        rendered.append(response)

    await outcome(scope, _nothing_more, ResponseRecorder(keep))
    return rendered[0]


async def _nothing_more() -> Message:
    return {"type": "http.disconnect"}

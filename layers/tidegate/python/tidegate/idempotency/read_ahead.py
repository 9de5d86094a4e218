"""What is read of a request that may run under a claim, before any store is asked: key, body and fingerprint."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from starlette.types import Receive, Scope

from tidegate.idempotency import protocol
from tidegate.idempotency.fingerprint import Fingerprint
from tidegate.routing import RoutePolicy
from tidegate.web.body import Body
from tidegate.web.problems import Problem
from tidegate.web.reading_ahead import Reading

if TYPE_CHECKING:
    from tidegate.web.uploads import Uploads


class ReadAhead(NamedTuple):
    """What was read.

    Attributes:
        body: the body.
        key: the idempotency key that its client sent; None: none.
        fingerprint: its payload's, with the credentials that its principal doesn't express.
    """

    body: Body
    key: str | None
    fingerprint: str


async def read_ahead(
    scope: Scope, receive: Receive, route: RoutePolicy, principal: str, made_under: str, uploads: Uploads | None
) -> ReadAhead | Problem | None:
    """Read a request; a key or a body that can't be taken is a problem. None: it needs no key, and has none.

    Args:
        scope: the request's.
        receive: the server's.
        route: its route.
        principal: who asks.
        made_under: the digest of the credentials that the principal doesn't express.
        uploads: bounds the bodies that are coming in; None where a body comes with its request.
    """
    key = protocol.read_key(scope, needed=route.policy.idempotent is True)
    if isinstance(key, Problem):
        return key
    if key is None and route.policy.overflow is None:  # nothing is claimed, so that the handler may stream the body
        return None
    fingerprint = Fingerprint(scope, made_under)
    reading = Reading(scope, receive, uploads, principal)
    body = await reading.ahead(route.policy.max_body_bytes, fingerprint.update)
    if isinstance(body, Problem):
        return body
    return ReadAhead(body, key, fingerprint.hexdigest())

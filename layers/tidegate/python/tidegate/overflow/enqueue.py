"""Overflow: a request that a limit refuses is queued, and gets a 202 with the address of its later response.

The pattern is asynchronous request-reply (RFC 9110, section 15.3.3): 202, `Location`, `Retry-After`. No accepted
request is lost: it is kept in DynamoDB first, then sent to SQS, and the 202 is sent only when both have it. A request
that can't be sent to SQS is withdrawn, and refused.
"""

from __future__ import annotations

import json
import uuid
from typing import Literal, NamedTuple

from tidegate.digests import digest
from tidegate.environment import Environment
from tidegate.errors import StoreUnavailableError
from tidegate.identity.caller import Caller, Scope
from tidegate.overflow.kept_fields import Kept
from tidegate.overflow.queue import Accepted, RequestQueue
from tidegate.overflow.request import LARGEST_BODY_BYTES, QueuedRequest
from tidegate.overflow.state import STATE_FIELD, QueuedItem
from tidegate.reference import reference
from tidegate.routing import RoutePolicy
from tidegate.web.body import Body
from tidegate.web.problems import Problem, problem_type, reduced_capacity, retry_after_s
from tidegate.web.stored_response import StoredResponse

_LONGEST_POLL_US = 60_000_000


class OverflowRequest(NamedTuple):
    """A request that a limit has refused.

    Attributes:
        scope: the request's.
        route: its route.
        caller: its caller.
        key: its idempotency key, if it has one.
        fingerprint: its payload's.
        body: its body.
        refusal: its response if it can't be queued.
        passes_in_us: microseconds until it could pass the limit.
        credentials: the digest of its credentials, where the principal doesn't express them.
    """

    scope: Scope
    route: RoutePolicy
    caller: Caller
    key: str | None
    fingerprint: str
    body: Body
    refusal: Problem
    passes_in_us: int
    credentials: str = ""


async def overflow(asked: OverflowRequest, environment: Environment, requests: str) -> StoredResponse | Problem:
    """Queue a request and return its 202, or the problem if it can't be queued.

    Args:
        asked: the request.
        environment: holds the queue; without one (`TIDEGATE_STORE=memory`) the limit's refusal stands.
        requests: the path below which queued requests are read.
    """
    queue = environment.queue()
    if queue is None or asked.body.size_bytes > LARGEST_BODY_BYTES or asked.passes_in_us > queue.patience_us:
        return asked.refusal
    item = _item(asked, environment.settings.namespace)
    try:
        accepted = await environment.call(lambda: queue.accept(item))
    except StoreUnavailableError:
        return reduced_capacity("The limit is used up, and the request can't be queued now; nothing was done.")
    match accepted:
        case Accepted():
            return _accepted(accepted, reference(asked.scope, f"{requests}/{accepted.id}"), asked.passes_in_us)
        case "other payload":
            return _reused()
        case "unreadable":
            return _unreadable()
        case _:
            return asked.refusal._replace(detail=f"{asked.refusal.detail} {_full(accepted, queue)}")


def _full(which: Literal["full", "full for all"], queue: RequestQueue) -> str:
    if which == "full for all":
        return "The queue of what is too much for a moment is full."
    return f"The queue holds {queue.bound} of this caller's requests and is full."


def _item(asked: OverflowRequest, namespace: str) -> QueuedItem:
    """Describe the request; its place is a digest of its idempotency key, or else of its payload and credentials."""
    principal, scope = asked.caller.principal, asked.scope
    name = f"{asked.fingerprint} {asked.credentials}" if asked.key is None else f"key {asked.key}"
    place = digest(namespace, principal, scope["method"], asked.route.route, name)
    nonce = uuid.uuid4().hex
    body = b"".join(asked.body.pieces())
    kept = Kept.named(asked.route.policy.queue_keeps, asked.route.reads.schemes)
    return QueuedItem(
        # With a key it is the same request for as long as its response is kept; without one, only while it waits.
        id=place if asked.key is not None else digest(place, nonce),
        nonce=nonce,
        state="queued",
        principal=principal,
        queue=queue_of(namespace, principal),
        place=place,
        fingerprint=asked.fingerprint,
        expires_ms=0,
        request=QueuedRequest.of(scope, asked.caller, asked.key, body, kept).encode(),
        secret=uuid.uuid4().hex,
        credentials=asked.credentials,
    )


def queue_of(namespace: str, principal: str) -> str:
    """Name a principal's queue."""
    return digest(namespace, "queue", principal, size=12)


def run_key(request: QueuedRequest, item: QueuedItem) -> str:
    """Return the idempotency key for a request's claim; one that begins with a space can't be sent by a client."""
    return f" {item.id}" if request.key is None else request.key


def _accepted(accepted: Accepted, location: str, passes_in_us: int) -> StoredResponse:
    wait_s = retry_after_s(min(passes_in_us * accepted.position, _LONGEST_POLL_US))
    body = json.dumps({"id": accepted.id, "state": "queued", "position": accepted.position, "location": location})
    headers = (
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"location", location.encode()),
        (b"retry-after", str(wait_s).encode()),
        (STATE_FIELD, b"queued"),
    )
    return StoredResponse(202, headers, body.encode())


def _reused() -> Problem:
    return Problem(
        422,
        problem_type("idempotency-key-reused"),
        "Idempotency-Key reused",
        "A request with this key is queued, with another payload or credentials; a new request needs a new key.",
    )


def _unreadable() -> Problem:
    return Problem(
        409,
        problem_type("request-unreadable"),
        "Request unreadable",
        "What is kept of the request under this key can't be read; a new request needs a new key.",
    )

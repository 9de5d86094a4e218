"""Overflow: what a limit refuses waits in a queue, and is answered 202 with the place where its answer will be.

The pattern is the asynchronous request-reply of RFC 9110, section 15.3.3: 202, `Location`, `Retry-After`. Nothing
that was accepted is lost: a request is kept in DynamoDB first, then sent to SQS, and answered only when both have
it. What couldn't be sent is withdrawn, and refused.
"""

from __future__ import annotations

import json
import uuid
from typing import NamedTuple

from tidegate.body import Body
from tidegate.errors import StoreUnavailableError
from tidegate.http import Problem, problem_type, reduced_capacity, retry_after_s
from tidegate.identity import Caller, Scope, digest
from tidegate.lifecycle import Environment
from tidegate.mechanisms.queued_request import LARGEST_BODY_BYTES, QueuedRequest
from tidegate.mechanisms.request_queue import Accepted
from tidegate.mechanisms.request_state import STATE_FIELD, QueuedItem
from tidegate.record import StoredResponse
from tidegate.routing import RoutePolicy

_LONGEST_POLL_US = 60_000_000


class Overflowing(NamedTuple):
    """A request that a limit has refused.

    Attributes:
        scope: the request's.
        route: its route.
        caller: who asks.
        key: its idempotency key, if it has one.
        fingerprint: its payload's.
        body: its body.
        refusal: what it is answered if it can't wait.
        passes_in_us: when it could pass.
    """

    scope: Scope
    route: RoutePolicy
    caller: Caller
    key: str | None
    fingerprint: str
    body: Body
    refusal: Problem
    passes_in_us: int


async def overflow(asked: Overflowing, environment: Environment, requests: str) -> StoredResponse | Problem:
    """Queue a request and return its 202, or why it can't wait.

    Args:
        asked: the request.
        environment: holds the queue; where there is none (`TIDEGATE_STORE=memory`) the limit refuses.
        requests: the path below which requests are found.
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
            return _accepted(accepted, requests, asked.passes_in_us)
        case "other payload":
            return _reused()
        case _:
            detail = f"{asked.refusal.detail} The queue holds {queue.bound} of this caller's requests and is full."
            return asked.refusal._replace(detail=detail)


def _item(asked: Overflowing, namespace: str) -> QueuedItem:
    """Describe the request; its place is its idempotency key's, or, without one, its payload's."""
    principal, scope = asked.caller.principal, asked.scope
    name = asked.fingerprint if asked.key is None else f"key {asked.key}"
    place = digest(namespace, principal, scope["method"], asked.route.route, name)
    nonce = uuid.uuid4().hex
    body = b"".join(asked.body.pieces())
    return QueuedItem(
        # One key's request is the same for as long as its answer is known; one payload's only while it waits.
        id=place if asked.key is not None else digest(place, nonce),
        nonce=nonce,
        state="queued",
        principal=principal,
        queue=queue_of(namespace, principal),
        place=place,
        fingerprint=asked.fingerprint,
        expires_ms=0,
        request=QueuedRequest.of(scope, asked.caller, asked.key, body).encode(),
    )


def queue_of(namespace: str, principal: str) -> str:
    """Name a principal's queue."""
    return digest(namespace, "queue", principal, size=12)


def run_key(request: QueuedRequest, item: QueuedItem) -> str:
    """Return the key that a request's run is claimed under; no client can send one with a space before it."""
    return f" {item.id}" if request.key is None else request.key


def _accepted(accepted: Accepted, requests: str, passes_in_us: int) -> StoredResponse:
    location = f"{requests}/{accepted.id}"
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
        "A request with this key is queued, with another payload; a new request needs a new key.",
    )

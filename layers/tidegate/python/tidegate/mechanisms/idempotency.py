"""Idempotency: one effect per key, and every retry gets the first answer again.

The field is draft-ietf-httpapi-idempotency-key-header-07; what is kept follows Stripe: once the handler's own
code has begun, its answer binds and is replayed, a 500 included, unless the route says otherwise (`keep_5xx`);
what was refused before (validation, a conflict) is not kept. Two answers say of themselves that nothing was done
and to come again, 429 and 503: they are not kept either. Where a handler has recorded a recovery point before one
of these, something was done: the claim is left for the retry to continue.
"""

from __future__ import annotations

import uuid
from typing import Any, NamedTuple

from tidegate.http import Problem, problem_type, reduced_capacity, retry_after_s
from tidegate.identity import Scope, digest, header
from tidegate.mechanisms.renewal import hold_ms
from tidegate.question import ClaimAnswer, ClaimRequest, Completed, InProgress, Mismatch
from tidegate.record import StoredResponse
from tidegate.routing import RoutePolicy
from tidegate.settings import Settings
from tidegate.units import duration_us

FIELD = b"idempotency-key"
REPLAYED = (b"idempotent-replayed", b"true")
LONGEST_KEY = 255
LARGEST_RECORD_BYTES = 350_000

_COME_AGAIN = frozenset({429, 503})


class Replay(NamedTuple):
    """An answer that was given before."""

    response: StoredResponse


def read_key(scope: Scope, *, needed: bool = True) -> str | Problem | None:
    """Return the request's key, sent as a structured-field String or bare, or the 400 that says what is wrong.

    A missing key is None where none is needed.
    """
    text = header(scope, FIELD)
    if text is None and not needed:
        return None
    if text is None or not text.strip():
        return _bad_key("idempotency-key-missing", "This route takes an Idempotency-Key, such as a UUID in quotes.")
    text = text.strip()
    key = _unquoted(text) if text.startswith('"') else text
    if key is None or not key or not all(" " < c <= "~" for c in key):
        return _bad_key("idempotency-key-invalid", "Write 1 to 255 visible ASCII characters, best a UUID in quotes.")
    if len(key) > LONGEST_KEY:
        return _bad_key("idempotency-key-invalid", f"The key has {len(key)} characters; {LONGEST_KEY} are allowed.")
    return key


def request_claim(
    key: str, fingerprint: str, scope: Scope, route: RoutePolicy, principal: str, settings: Settings
) -> ClaimRequest:
    """Describe the claim for a request: scoped by (namespace, principal, method, route, key)."""
    lifetime = route.policy.lifetime
    return ClaimRequest(
        id=digest(settings.namespace, principal, scope["method"], route.route, key),
        fingerprint=fingerprint,
        attempt_id=uuid.uuid4().hex,
        hold_ms=hold_ms(scope.get("aws.context")),
        lifetime_ms=settings.idempotency_lifetime_ms if lifetime is None else duration_us(lifetime) // 1000,
        in_redis=route.policy.claims == "redis",
    )


def read(answer: ClaimAnswer) -> Replay | Problem | None:
    """Read the claim's part of the answer; None: the claim is ours and the handler may run."""
    match answer:
        case Completed(record):
            response = StoredResponse.decode(record)
            return _not_kept() if response.body is None else Replay(response)
        case Mismatch():
            return Problem(
                422,
                problem_type("idempotency-key-reused"),
                "Idempotency-Key reused",
                "This key came with another payload before; a new request needs a new key.",
            )
        case InProgress(retry_after_ms):
            # A quick retry is worthwhile: most handlers end long before their claim's deadline.
            seconds = retry_after_s(min(retry_after_ms, 1000) * 1000)
            return Problem(
                409,
                problem_type("request-in-progress"),
                "Request in progress",
                "The first request with this key is still running.",
                ((b"retry-after", str(seconds).encode()),),
            )
        case _:
            return None


def binds(response: StoredResponse, *, begun: bool, keep_5xx: bool) -> bool:
    """Whether an answer is kept for replays."""
    return begun and response.status not in _COME_AGAIN and (keep_5xx or response.status < 500)


def record_of(response: StoredResponse) -> bytes:
    """Return the stored form; of an answer too large for one item only that it was given."""
    record = response.encode()
    if len(record) <= LARGEST_RECORD_BYTES:
        return record
    return StoredResponse(response.status, (), None).encode()


def superseded() -> Problem:
    """Return the 409 for an attempt that outlived its claim: another one has taken over, and its answer counts."""
    return Problem(
        409,
        problem_type("claim-superseded"),
        "Claim superseded",
        "This attempt took longer than its claim stood; another one took over. Ask again with the same key.",
        ((b"retry-after", b"1"),),
    )


def body_too_large(limit_bytes: int) -> Problem:
    """Return the 413."""
    detail = f"This route reads at most {limit_bytes} bytes."
    return Problem(413, problem_type("body-too-large"), "Content too large", detail)


def body_incomplete() -> Problem:
    """Return the 400 for a client that went away while it was sending: nothing was claimed."""
    return Problem(400, problem_type("body-incomplete"), "Incomplete request", "The body was not sent whole.")


def unguarded() -> Problem:
    """Return the 503 where no store can hold the claim: nothing was done."""
    return reduced_capacity("The store that guards this route's idempotency can't be reached; nothing was done.")


def _bad_key(word: str, detail: str) -> Problem:
    return Problem(400, problem_type(word), "Idempotency-Key missing or invalid", detail)


def _unquoted(text: str) -> str | None:
    import http_sf  # noqa: PLC0415  only a key in quotes needs it

    try:
        item: Any = http_sf.parse(text.encode("latin-1"), tltype="item")
    except ValueError:
        return None
    value = item[0]
    return value if isinstance(value, str) else None


def _not_kept() -> Problem:
    return Problem(
        409,
        problem_type("response-not-kept"),
        "Response not kept",
        "The first request with this key was answered, with an answer too large to be replayed.",
    )

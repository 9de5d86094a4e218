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

from tidegate.digests import digest
from tidegate.idempotency.renewal import hold_ms
from tidegate.identity.caller import Scope
from tidegate.messages import ClaimAnswer, ClaimRequest, Completed, InProgress, Mismatch, OutcomeUnknown, Unreadable
from tidegate.routing import RoutePolicy
from tidegate.settings import Settings
from tidegate.units import duration_us
from tidegate.web.problems import Problem, problem_type, reduced_capacity, retry_after_s
from tidegate.web.stored_response import StoredResponse

FIELD = b"idempotency-key"
REPLAYED = (b"idempotent-replayed", b"true")
LONGEST_KEY = 255
# A key of that length with each character escaped, and as much again around it: what is longer isn't even parsed.
_LONGEST_FIELD = 4 * LONGEST_KEY
LARGEST_RECORD_BYTES = 350_000

UNREADABLE = problem_type("response-unreadable")

_SET_COOKIE = b"set-cookie"
_COME_AGAIN = frozenset({429, 503})


class Replay(NamedTuple):
    """An answer that was given before."""

    response: StoredResponse


class Found(NamedTuple):
    """What is known of a key that isn't this attempt's to run: told where the handler would have run.

    Attributes:
        known: the answer that was given before, or the problem with asking again.
    """

    known: Replay | Problem

    @property
    def size_bytes(self) -> int:
        """How much there is to tell."""
        return len(self.known.response.body or b"") if isinstance(self.known, Replay) else 0


def read_key(scope: Scope, *, needed: bool = True) -> str | Problem | None:
    """Return the request's key, sent as a structured-field String or bare, or the 400 that says what is wrong.

    A missing key is None where none is needed.
    """
    lines = [value.decode("latin-1") for name, value in scope["headers"] if name == FIELD]
    if len(lines) > 1:
        return _bad_key("idempotency-key-invalid", "There are several Idempotency-Key fields; send one.")
    text = lines[0] if lines else None
    if text is None and not needed:
        return None
    if text is None or not text.strip():
        return _bad_key("idempotency-key-missing", "This route takes an Idempotency-Key, such as a UUID in quotes.")
    return _key_of(text.strip())


def _key_of(text: str) -> str | Problem:
    if len(text) > _LONGEST_FIELD:
        return _bad_key(
            "idempotency-key-invalid", f"The field is too long; a key has {LONGEST_KEY} characters at most."
        )
    key = _unquoted(text) if text.startswith('"') else text
    # A bare comma is how a gateway joins the lines of several fields.
    joined = key == text and "," in text
    if not key or joined or not all(" " < c <= "~" for c in key):
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
        in_redis=settings.claims_for(route.policy.claims) == "redis",
        owner=principal,
        holds_unknown=route.policy.on_unknown == "hold",
    )


def read(answer: ClaimAnswer) -> Found | None:
    """Read the claim's part of the answer; None: the claim is ours and the handler may run."""
    known = _known(answer)
    return None if known is None else Found(known)


def _known(answer: ClaimAnswer) -> Replay | Problem | None:
    match answer:
        case Completed(record):
            try:
                response = StoredResponse.decode(record)
            except ValueError:
                return unreadable()
            return _not_kept() if response.body is None else Replay(response)
        case Unreadable():
            return unreadable()
        case _:
            return _refusal(answer)


def _refusal(answer: ClaimAnswer) -> Problem | None:
    match answer:
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
        case OutcomeUnknown():
            return Problem(
                409,
                problem_type("outcome-unknown"),
                "Outcome unknown",
                "What became of the first request with this key isn't known; it isn't run again until that is decided.",
            )
        case _:
            return None


def binds(response: StoredResponse, *, begun: bool, keep_5xx: bool) -> bool:
    """Whether an answer is kept for replays."""
    return begun and response.status not in _COME_AGAIN and (keep_5xx or response.status < 500)


def record_of(response: StoredResponse) -> bytes:
    """Return the stored form; of an answer too large for one item only that it was given.

    A cookie is a credential, given to one client once: it isn't kept.
    """
    if response.body is None:
        return StoredResponse(response.status, (), None).encode()
    response = response._replace(headers=tuple(field for field in response.headers if field[0].lower() != _SET_COOKIE))
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


def unreadable() -> Problem:
    """Return the 409 where what is kept of the first request is damaged: it isn't run again."""
    return Problem(
        409,
        UNREADABLE,
        "Response unreadable",
        "What is kept of the first request with this key can't be read, so that its answer can't be given again.",
    )


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

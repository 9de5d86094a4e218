"""The calls of the Lua scripts: their arguments are made of a question, and their replies are read into an answer.

A script is made of several files of `lua/`, shared ones first. They run on Redis 6.2 to 8 and on Valkey. On a cluster
all keys of one call share a hash tag.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from hashlib import sha1
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tidegate.decision import LimitState, State
from tidegate.messages import (
    Charge,
    ClaimAnswer,
    ClaimRequest,
    Completed,
    Granted,
    InProgress,
    Mismatch,
    OutcomeUnknown,
    Question,
    Settlement,
    Unknown,
    Unreadable,
)
from tidegate.stores.redis.replies import CLAIM_FIELDS, COPY_FIELDS, STATE_FIELDS, Fits, admission, is_number, numbers

if TYPE_CHECKING:
    from tidegate.cache_messages import CacheAnswer, CacheRequest


class Script(NamedTuple):
    """A Lua script, and the SHA-1 digest by which Redis knows it."""

    source: str
    sha: str

    @classmethod
    def of(cls, *files: str) -> Script:
        """Read a script made of several files of `lua/`, in order."""
        folder = Path(__file__).parent / "lua"
        source = "\n".join((folder / file).read_text(encoding="utf-8") for file in files)
        return cls(source, sha1(source.encode(), usedforsecurity=False).hexdigest())


LIMITS = ("limits.lua", "refill_clock.lua", "buckets_clock.lua", "token_bucket.lua")
# The file that a limit's kind needs beside those.
_ALGORITHMS = {
    "d": "leaky_bucket.lua",
    "s": "sliding_window.lua",
    "w": "sliding_window_counter.lua",
    "q": "quota.lua",
    "c": "concurrency.lua",
}
# The end of a limit's key. A quota's isn't its letter: the previous release keeps it there, in another form.
_SUFFIXES = {"b": "", "d": ":d", "s": ":s", "w": ":w", "q": ":p", "c": ":c"}


@cache
def admit_script(kinds: frozenset[str], *, claim: bool, copy: bool) -> Script:
    """Return the script that decides limits of these kinds, with a claim and a copy or without.

    At every call Redis runs a script from its first line, definitions included. So the script contains no part that the
    question doesn't need.
    """
    parts = [name for wanted, name in ((claim, "claim.lua"), (copy, "cache_stamps.lua"), (copy, "cache.lua")) if wanted]
    return Script.of(*_limits(kinds), *parts, "admit.lua")


@cache
def correct_script(kinds: frozenset[str]) -> Script:
    """Return the script that corrects charges of these kinds."""
    return Script.of(*_limits(kinds), "correct.lua")


def _limits(kinds: frozenset[str]) -> tuple[str, ...]:
    return (*LIMITS, *(name for kind, name in _ALGORITHMS.items() if kind in kinds))


SETTLE = Script.of("settle.lua")
RENEW = Script.of("renew.lua")
HEARTBEAT = Script.of("limits.lua", "refill_clock.lua", "heartbeat.lua")


# Environments, rank, life, then the refill clock's four.
_HEARTBEAT_FIELDS = 7


class Call(NamedTuple):
    """One evaluation of a script.

    Attributes:
        script, keys, arguments: the script and what it is given. It touches these keys and no others, and there is
            one: ElastiCache Serverless refuses anything else.
        fits: checks that a reply belongs to the call; None: the caller checks it.
    """

    script: Script
    keys: Sequence[str]
    arguments: Sequence[Any]
    fits: Fits | None = None


class RefillClock(NamedTuple):
    """The refill clock in an evaluation's keys and arguments (see `buckets_clock.lua`).

    Attributes:
        keys: the clock's key, if one node has all keys.
        told: the life of the server's memory that this environment knows; on a cluster, the clock as it last read it.
    """

    keys: tuple[str, ...]
    told: str


def claim_key(subject: str, request: ClaimRequest) -> str:
    """Return the key of an idempotency key's record."""
    return f"tidegate:{{{subject}}}:i:{request.id}"


def copy_key(request: CacheRequest) -> str:
    """Return the key of a copy and its lease."""
    return f"tidegate:{{{request.subject}}}:k:{request.key}"


def stamps_key(subject: str) -> str:
    """Return the key of a route's stamps, by tag."""
    return f"tidegate:{{{subject}}}:t"


def limit_key(subject: str, charge: Charge) -> str:
    """Return a limit's key. It ends with the kind, except for token buckets: they are the most common."""
    return f"tidegate:{{{subject}}}:{charge.key}{_SUFFIXES[charge.rule.kind]}"


def _read_beside(subject: str, charges: Sequence[Charge]) -> list[str]:
    """Return the keys that limits' scripts read beside their own: the previous release's of quotas."""
    return [f"{limit_key(charge.subject or subject, charge)[:-1]}q" for charge in charges if charge.rule.kind == "q"]


class Part(NamedTuple):
    """The part of a question that lies in one hash slot; the whole question if one node has all keys."""

    charges: tuple[Charge, ...] = ()
    claim: ClaimRequest | None = None
    cache: CacheRequest | None = None


def admit_call(question: Question, part: Part, clock: RefillClock) -> Call:
    """Return the call that decides a question, or the part of it that lies in one hash slot."""
    charges, claim, copy = part
    keys = [limit_key(question.subject_of(charge), charge) for charge in charges]
    arguments: list[Any] = [
        len(charges),
        0 if claim is None else 1,
        1 if question.peek else 0,
        clock.told,
        0 if copy is None else 1,
    ]
    for charge in charges:
        arguments += _charge_arguments(charge)
    # The reply to a question about a claim or a copy bears the asking request's token (see `replies`).
    token_at = None if claim is None and copy is None else len(arguments) + 1
    if claim is not None:
        keys.append(claim_key(question.subject, claim))
        arguments += (claim.fingerprint, claim.attempt_id, claim.hold_ms, claim.lifetime_ms, _kept_here(claim))
    if copy is not None:
        keys += (copy_key(copy), stamps_key(copy.subject))
        arguments += (" ".join(copy.tags), copy.token, copy.hold_ms, f"{copy.drawn:.6f}")
    script = admit_script(_kinds(charges), claim=claim is not None, copy=copy is not None)
    kinds = "".join([charge.rule.kind for charge in charges])
    fits = admission(kinds, token_at, claim=claim is not None, copy=copy is not None)
    return Call(script, [*keys, *_read_beside(question.subject, charges), *clock.keys], arguments, fits)


def _kept_here(claim: ClaimRequest) -> str:
    """Return what the record in Redis is of a claim, as `admit.lua` has it."""
    if not claim.in_redis:
        return "copy"
    return "stands" if claim.holds_unknown else "claim"


def correct_call(subject: str, charges: Sequence[Charge], clock: RefillClock) -> Call:
    """Return the call that corrects charges in one hash slot."""
    keys = [limit_key(charge.subject or subject, charge) for charge in charges]
    arguments = [argument for charge in charges for argument in _charge_arguments(charge)]
    keys += (*_read_beside(subject, charges), *clock.keys)
    return Call(correct_script(_kinds(charges)), keys, [clock.told, *arguments], is_number)


def _kinds(charges: Sequence[Charge]) -> frozenset[str]:
    return frozenset([charge.rule.kind for charge in charges])


def heartbeat_call(keys: Sequence[str], environment: Sequence[Any], secret: bytes = b"") -> Call:
    """Return the call of a heartbeat.

    Args:
        keys: the fleet's key and the refill clock's.
        environment: the first six arguments of `heartbeat.lua`.
        secret: the secret that this environment offers to the fleet; empty: it doesn't ask for the fleet's.
    """
    fleet = keys[0]
    shared = (f"{fleet}:places", f"{fleet}:places:made", f"{fleet}:secret")
    return Call(HEARTBEAT, [*keys, *shared], [*environment, secret], numbers(_HEARTBEAT_FIELDS, text=bool(secret)))


def settle_call(settlement: Settlement) -> Call:
    """Return the call that settles or renews a request's claim.

    Raises:
        ValueError: the settlement has no claim.
    """
    request = settlement.claim
    if request is None:
        raise ValueError("there is no claim to settle")
    key = claim_key(settlement.subject, request)
    if settlement.renews:
        held = [request.fingerprint, request.attempt_id, request.hold_ms, request.lifetime_ms, settlement.points]
        return Call(RENEW, [key], held, is_number)
    arguments = [
        request.fingerprint,
        request.attempt_id,
        request.lifetime_ms,
        int(settlement.fenced),
        int(settlement.record is not None),
        settlement.record or b"",
    ]
    return Call(SETTLE, [key], arguments, is_number)


def _charge_arguments(charge: Charge) -> tuple[Any, ...]:
    kind = charge.rule.kind.upper() if charge.shadow else charge.rule.kind
    return (kind, charge.cost, *charge.rule.numbers, _carried(charge))


def _carried(charge: Charge) -> Any:
    """Return the charge's holder, or its carried state, in the script's form."""
    if charge.holder:
        return charge.holder
    if charge.known_counts:
        if charge.rule.kind == "s":
            from tidegate.stores.redis.packed_window import packed  # noqa: PLC0415  only for sliding windows

            return packed(charge.known_counts)
        return ":".join(map(str, charge.known_counts))
    return charge.min_deficit_us


def read_limits(reply: Sequence[Any], charges: Sequence[Charge]) -> tuple[LimitState, ...]:
    """Read one state per charge from the reply of `admit.lua`."""
    states = [
        _read_limit(charge, *reply[at : at + STATE_FIELDS])
        for charge, at in zip(charges, range(1, 1 + STATE_FIELDS * len(charges), STATE_FIELDS), strict=True)
    ]
    return tuple(states)


def _read_limit(
    charge: Charge, allowed: int, remaining: int, retry_after: int, wait: int, carry: int | bytes
) -> LimitState:
    if isinstance(carry, int):
        return LimitState(bool(allowed), remaining, retry_after, carry, wait)
    return LimitState(bool(allowed), remaining, retry_after, 0, wait, _read_counts(charge, carry))


def _read_counts(charge: Charge, carry: bytes) -> State:
    if charge.rule.kind == "s":
        from tidegate.stores.redis.packed_window import unpacked  # noqa: PLC0415  as above

        return unpacked(carry)
    return tuple(int(count) for count in carry.split(b":")) if carry else ()


_WITHOUT_PAYLOAD: dict[bytes, ClaimAnswer] = {b"mismatch": Mismatch(), b"unreadable": Unreadable()}


def read_claim(reply: Sequence[Any], part: Part) -> ClaimAnswer | Unknown:
    """Read the claim's part of the reply."""
    state, payload = reply[1 + STATE_FIELDS * len(part.charges) :][:CLAIM_FIELDS]
    match state:
        case b"granted" | b"taken-over":
            return Granted(payload, taken_over=state == b"taken-over")
        case b"completed":
            return Completed(payload)
        case b"in-progress":
            return InProgress(retry_after_ms=int(payload))
        case b"outcome-unknown":
            attempt_id, _, points = payload.partition(b"\n")
            return OutcomeUnknown(attempt_id.decode("utf-8", "replace"), points)
        case _:
            return _WITHOUT_PAYLOAD.get(state, Unknown())


def read_cache(reply: Sequence[Any], part: Part) -> CacheAnswer | None:
    """Read the copy's part of the reply; None if there is none, because the question wasn't admitted."""
    begin = 1 + STATE_FIELDS * len(part.charges) + (0 if part.claim is None else CLAIM_FIELDS)
    fields = reply[begin : begin + COPY_FIELDS]
    if len(fields) < COPY_FIELDS:
        return None
    from tidegate.stores.redis.copies import read_copy  # noqa: PLC0415  only for cached routes

    return read_copy(fields)

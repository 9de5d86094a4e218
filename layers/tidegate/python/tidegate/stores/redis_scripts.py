"""The Lua scripts, and how a question is put to them and their replies are read.

The scripts are the files in `lua/`; what several of them share is put in front of the one that uses it. They run
on Redis 6.2 to 8 and on Valkey. All keys of one call share a hash tag where Redis is a cluster.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from hashlib import sha1
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tidegate.algorithms.decision import LimitState, State
from tidegate.algorithms.shedding import Demand
from tidegate.question import (
    Charge,
    ClaimAnswer,
    ClaimRequest,
    Completed,
    Granted,
    InProgress,
    Mismatch,
    Question,
    Settlement,
    Unknown,
)
from tidegate.stores.demand import Report

if TYPE_CHECKING:
    from tidegate.caching.question import CacheAnswer, CacheRequest

_STATE_FIELDS = 5
_CLAIM_FIELDS = 2


class Script(NamedTuple):
    """A Lua script and the digest that Redis knows it by."""

    source: str
    sha: str

    @classmethod
    def of(cls, *files: str) -> Script:
        """Read a script made of several files of `lua/`, in order."""
        folder = Path(__file__).parent / "lua"
        source = "\n".join((folder / file).read_text(encoding="utf-8") for file in files)
        return cls(source, sha1(source.encode(), usedforsecurity=False).hexdigest())


LIMITS = ("limits.lua", "ladder.lua", "buckets_clock.lua", "token_bucket.lua")
# What else a limit's kind needs.
_ALGORITHMS = {"d": "leaky_bucket.lua", "w": "sliding_window.lua", "q": "quota.lua", "c": "concurrency.lua"}


@cache
def admit_script(kinds: frozenset[str], *, claim: bool, copy: bool) -> Script:
    """Return the script that decides limits of these kinds, with a claim and a copy or without.

    Redis runs a script from its first line at every call, definitions included: what isn't asked about isn't in it.
    """
    parts = [name for wanted, name in ((claim, "claim.lua"), (copy, "cache.lua")) if wanted]
    return Script.of(*_limits(kinds), *parts, "admit.lua")


@cache
def correct_script(kinds: frozenset[str]) -> Script:
    """Return the script that puts right charges of these kinds."""
    return Script.of(*_limits(kinds), "correct.lua")


def _limits(kinds: frozenset[str]) -> tuple[str, ...]:
    return (*LIMITS, *(name for kind, name in _ALGORITHMS.items() if kind in kinds))


SETTLE = Script.of("settle.lua")
RENEW = Script.of("renew.lua")
HEARTBEAT = Script.of("limits.lua", "ladder.lua", "heartbeat.lua")
DEMAND = Script.of("demand.lua")


class Call(NamedTuple):
    """One evaluation of a script."""

    script: Script
    keys: Sequence[str]
    arguments: Sequence[Any]


class Ladder(NamedTuple):
    """What an evaluation is told of the ladder (see `buckets_clock.lua`).

    Attributes:
        keys: the ladder's key, where one node has all keys.
        told: the life of the server's memory that is known, or, for a cluster, the buckets' clock as it was heard last.
    """

    keys: tuple[str, ...]
    told: str


def claim_key(subject: str, request: ClaimRequest) -> str:
    """Return the key of an idempotency key's record."""
    return f"tidegate:{{{subject}}}:i:{request.id}"


def copy_key(request: CacheRequest) -> str:
    """Return the key of a cached answer and its lease."""
    return f"tidegate:{{{request.subject}}}:k:{request.key}"


def stamp_prefix(subject: str) -> str:
    """Return what the keys of a route's tags begin with."""
    return f"tidegate:{{{subject}}}:t:"


def limit_key(subject: str, charge: Charge) -> str:
    """Return a limit's key; a kind of its own but for buckets', the commonest, whose keys stay short."""
    kind = charge.rule.kind
    return f"tidegate:{{{subject}}}:{charge.key}" + ("" if kind == "b" else f":{kind}")


class Part(NamedTuple):
    """The part of a question that lies in one hash slot; all of it where one node has all keys."""

    charges: tuple[Charge, ...] = ()
    claim: ClaimRequest | None = None
    cache: CacheRequest | None = None


def admit_call(question: Question, part: Part, ladder: Ladder) -> Call:
    """Put a question, or the part of it that lies in one hash slot."""
    charges, claim, copy = part
    keys = [limit_key(question.subject_of(charge), charge) for charge in charges]
    arguments: list[Any] = [
        len(charges),
        0 if claim is None else 1,
        1 if question.peek else 0,
        ladder.told,
        0 if copy is None else 1,
    ]
    for charge in charges:
        arguments += _charge_arguments(charge)
    if claim is not None:
        keys.append(claim_key(question.subject, claim))
        arguments += (claim.fingerprint, claim.attempt_id, claim.hold_ms, claim.lifetime_ms, int(claim.in_redis))
    if copy is not None:
        keys.append(copy_key(copy))
        arguments += (
            stamp_prefix(copy.subject),
            copy.token,
            copy.hold_ms,
            f"{copy.drawn:.6f}",
            " ".join(copy.tags),
        )
    script = admit_script(_kinds(charges), claim=claim is not None, copy=copy is not None)
    return Call(script, [*keys, *ladder.keys], arguments)


def correct_call(subject: str, charges: Sequence[Charge], ladder: Ladder) -> Call:
    """Put right what was charged, in one hash slot."""
    keys = [limit_key(charge.subject or subject, charge) for charge in charges]
    arguments = [argument for charge in charges for argument in _charge_arguments(charge)]
    return Call(correct_script(_kinds(charges)), [*keys, *ladder.keys], [ladder.told, *arguments])


def _kinds(charges: Sequence[Charge]) -> frozenset[str]:
    return frozenset([charge.rule.kind for charge in charges])


def heartbeat_call(keys: Sequence[str], environment: Sequence[Any]) -> Call:
    """Show a sign of life; see `heartbeat.lua` for what is said of the environment."""
    return Call(HEARTBEAT, keys, environment)


def demand_call(key: str, report: Report) -> Call:
    """Tell what work came, and ask what the whole fleet's is."""
    return Call(DEMAND, [key], [round(seconds * 1_000_000) for seconds in (report.window_s, *report.work)])


def read_demand(reply: Sequence[int]) -> Demand:
    """Read what the fleet's callers demand from the reply of `demand.lua`."""
    return Demand(*(thousandths / 1000 for thousandths in reply))


def settle_call(settlement: Settlement) -> Call:
    """Settle or renew the claim of a request."""
    request = settlement.claim
    if request is None:
        raise ValueError("there is no claim to settle")
    key = claim_key(settlement.subject, request)
    if settlement.renews:
        held = [request.fingerprint, request.attempt_id, request.hold_ms, request.lifetime_ms, settlement.points]
        return Call(RENEW, [key], held)
    arguments = [
        request.fingerprint,
        request.attempt_id,
        request.lifetime_ms,
        int(settlement.fenced),
        int(settlement.record is not None),
        settlement.record or b"",
    ]
    return Call(SETTLE, [key], arguments)


def _charge_arguments(charge: Charge) -> tuple[Any, ...]:
    kind = charge.rule.kind.upper() if charge.shadow else charge.rule.kind
    return (kind, charge.cost, *charge.rule.numbers, _brought(charge))


def _brought(charge: Charge) -> Any:
    if charge.holder:
        return charge.holder
    if charge.known_counts:
        return ":".join(map(str, charge.known_counts))
    return charge.known_debt_us


def read_limits(reply: Sequence[Any], charges: Sequence[Charge]) -> tuple[LimitState, ...]:
    """Read one state per charge from the reply of `admit.lua`."""
    states = [
        _read_limit(*reply[at : at + _STATE_FIELDS]) for at in range(1, 1 + _STATE_FIELDS * len(charges), _STATE_FIELDS)
    ]
    return tuple(states)


def _read_limit(allowed: int, remaining: int, retry_after: int, wait: int, carry: int | bytes) -> LimitState:
    if isinstance(carry, int):
        return LimitState(bool(allowed), remaining, retry_after, carry, wait)
    counts: State = tuple(int(count) for count in carry.split(b":")) if carry else ()
    return LimitState(bool(allowed), remaining, retry_after, 0, wait, counts)


def read_claim(reply: Sequence[Any], part: Part) -> ClaimAnswer | Unknown:
    """Read what is known of the claim."""
    state, payload = reply[1 + _STATE_FIELDS * len(part.charges) :][:_CLAIM_FIELDS]
    match state:
        case b"granted" | b"taken-over":
            return Granted(payload, taken_over=state == b"taken-over")
        case b"completed":
            return Completed(payload)
        case b"mismatch":
            return Mismatch()
        case b"in-progress":
            return InProgress(retry_after_ms=int(payload))
        case _:
            return Unknown()


def read_cache(reply: Sequence[Any], part: Part) -> CacheAnswer | None:
    """Read what is known of the copy, if the question was admitted."""
    told = reply[1 + _STATE_FIELDS * len(part.charges) + (0 if part.claim is None else _CLAIM_FIELDS) :]
    if not told:
        return None
    from tidegate.stores.redis_cache import read_copy  # noqa: PLC0415  only what caches needs it

    return read_copy(told)

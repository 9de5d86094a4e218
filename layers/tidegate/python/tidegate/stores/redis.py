"""Decisions in Redis: one script, one round trip, the server's clock.

The scripts are the files in `lua/`; a mechanism's functions are put in front of the script that uses them.
They run on Redis 6.2 to 8 and on Valkey. All keys of one script share the subject's hash tag, so a cluster
runs it on one node.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha1
from pathlib import Path
from typing import Any

from redis import exceptions as driver

from tidegate.clock import Clock
from tidegate.question import (
    Answer,
    ClaimAnswer,
    ClaimRequest,
    Completed,
    Granted,
    InProgress,
    LimitState,
    Mismatch,
    Question,
    Settlement,
    Unknown,
)
from tidegate.stores.connection import (
    ClusterTransport,
    Command,
    NodeTransport,
    RedisTarget,
    Transport,
    unavailable,
)

HEARTBEAT_EVERY_S = 5
GONE_AFTER_S = 15


@dataclass(frozen=True, slots=True)
class Script:
    """A Lua script and the digest that Redis knows it by."""

    source: str
    sha: str

    @classmethod
    def of(cls, *files: str) -> Script:
        """Read a script made of several files of `lua/`, in order."""
        folder = Path(__file__).parent / "lua"
        source = "\n".join((folder / file).read_text(encoding="utf-8") for file in files)
        return cls(source, sha1(source.encode(), usedforsecurity=False).hexdigest())


ADMIT = Script.of("token_bucket.lua", "claim.lua", "admit.lua")
SETTLE = Script.of("settle.lua")
RENEW = Script.of("renew.lua")
HEARTBEAT = Script.of("heartbeat.lua")


class RedisStore:
    """Decides in Redis or Valkey, on one node or a cluster.

    Args:
        target: where Redis is, and its timeouts.
        namespace: keeps the keys of several deployments apart.
        environment_id: how this environment counts in the fleet.
        clock: paces the heartbeats.
    """

    name = "redis"

    def __init__(self, target: RedisTarget, namespace: str, environment_id: str, clock: Clock) -> None:
        self._transport: Transport = ClusterTransport(target) if target.cluster else NodeTransport(target)
        self._fleet_key = f"tidegate:{{fleet:{namespace}}}"
        self._environment_id = environment_id
        self._clock = clock
        self._next_heartbeat = 0.0

    def admit(self, question: Question) -> Answer:
        """Ask everything in one EVALSHA; every few seconds a heartbeat rides along in the same round trip."""
        calls = [(ADMIT, _admit_keys(question), _admit_arguments(question))]
        now = self._clock.monotonic()
        beats = now >= self._next_heartbeat
        if beats:
            calls.append((HEARTBEAT, [self._fleet_key], [self._environment_id, GONE_AFTER_S]))
        replies = self._evaluate(calls)
        if beats:
            self._next_heartbeat = now + HEARTBEAT_EVERY_S
        return _read_answer(question, replies[0], environments=int(replies[1]) if beats else None)

    def settle(self, settlement: Settlement) -> bool:
        """Store the answer for replays, or release or renew a claim that Redis holds."""
        request = settlement.claim
        if settlement.renews:
            return self._renew(settlement)
        arguments = [
            request.fingerprint,
            request.attempt_id,
            request.lifetime_ms,
            int(settlement.fenced),
            int(settlement.record is not None),
            settlement.record or b"",
        ]
        [done] = self._evaluate([(SETTLE, [_claim_key(settlement.subject, request)], arguments)])
        return bool(done)

    def _renew(self, settlement: Settlement) -> bool:
        c = settlement.claim
        arguments = [c.fingerprint, c.attempt_id, c.hold_ms, c.lifetime_ms, settlement.points]
        [done] = self._evaluate([(RENEW, [_claim_key(settlement.subject, c)], arguments)])
        return bool(done)

    def probe(self, patience_s: float | None = None) -> None:
        """Write a key that expires: a replica, a full memory and a hung server all refuse that.

        The connections' timeouts bound it; a Redis that needs more patience can't decide either.
        """
        del patience_s
        [reply] = self._transport.send([("SET", "tidegate:probe", self._environment_id, "PX", 1000)])
        if isinstance(reply, Exception):
            raise unavailable(reply)

    def close(self) -> None:
        """Close the connections; the next question opens new ones."""
        self._transport.close()

    def _evaluate(self, calls: Sequence[tuple[Script, Sequence[str], Sequence[Any]]]) -> list[Any]:
        """Run scripts by digest; those that the server doesn't know (it restarted) are sent whole, once."""
        replies = self._transport.send([_command("EVALSHA", script.sha, k, a) for script, k, a in calls])
        unknown = [i for i, reply in enumerate(replies) if isinstance(reply, driver.NoScriptError)]
        if unknown:
            again = [_command("EVAL", script.source, k, a) for script, k, a in (calls[i] for i in unknown)]
            for i, reply in zip(unknown, self._transport.send(again), strict=True):
                replies[i] = reply
        for reply in replies:
            if isinstance(reply, Exception):
                raise unavailable(reply) from reply
        return replies


def _command(verb: str, script: str, keys: Sequence[str], arguments: Sequence[Any]) -> Command:
    return (verb, script, len(keys), *keys, *arguments)


def _claim_key(subject: str, request: ClaimRequest) -> str:
    return f"tidegate:{{{subject}}}:i:{request.id}"


def _admit_keys(question: Question) -> list[str]:
    keys = [f"tidegate:{{{question.subject}}}:{charge.key}" for charge in question.charges]
    if question.claim is not None:
        keys.append(_claim_key(question.subject, question.claim))
    return keys


def _admit_arguments(question: Question) -> list[Any]:
    arguments: list[Any] = [len(question.charges), int(question.claim is not None)]
    for charge in question.charges:
        arguments += (charge.bucket.interval_us, charge.bucket.burst, charge.cost, charge.known_debt_us)
    if question.claim is not None:
        c = question.claim
        arguments += (c.fingerprint, c.attempt_id, c.hold_ms, c.lifetime_ms, int(c.in_redis))
    return arguments


def _read_answer(question: Question, reply: list[Any], environments: int | None) -> Answer:
    count = len(question.charges)
    limits = tuple(
        LimitState(bool(allowed), remaining, retry_after, debt)
        for allowed, remaining, retry_after, debt in (reply[1 + 4 * i : 5 + 4 * i] for i in range(count))
    )
    tail = reply[1 + 4 * count :]
    claim = _read_claim(*tail) if tail else None
    return Answer(bool(reply[0]), limits, claim, "redis", environments)


def _read_claim(state: bytes, payload: bytes) -> ClaimAnswer | Unknown:
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

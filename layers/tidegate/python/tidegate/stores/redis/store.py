"""Decisions in Redis: one script, one round trip, the server's clock.

On one node a question is one evaluation. On a cluster the keys of one evaluation must lie in one hash slot. A question
about several subjects is then one evaluation for each of them, all sent at once. If one slot refuses, the charges in
the others are given back.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from tidegate.clock import Clock
from tidegate.errors import StoreUnavailableError
from tidegate.messages import Answer, Charge, Fleet, Granted, Question, Settlement, Unknown
from tidegate.redis_driver.faults import NoScriptError, OddReplyError, UnheardError, unavailable
from tidegate.redis_driver.node import RedisTarget
from tidegate.redis_driver.resp import Command
from tidegate.redis_driver.transport import SendStep, Transport, transport_to
from tidegate.settings import DEFAULT_CALLER_BYTES, DEFAULT_COPIES_BYTES
from tidegate.steps import Steps, run
from tidegate.stores.fleet_secret import FleetSecret
from tidegate.stores.redis.outage import OutageTimer
from tidegate.stores.redis.scripts import (
    Call,
    Part,
    RefillClock,
    admit_call,
    correct_call,
    heartbeat_call,
    read_cache,
    read_claim,
    read_limits,
    settle_call,
)

if TYPE_CHECKING:
    from tidegate.stores.redis.cache import CopyRoom

HEARTBEAT_EVERY_S = 5
GONE_AFTER_S = 15
# A large fleet sends so many a second in all. Its environments then count as gone after a longer silence.
HEARTBEATS_PER_S = 250
_NO_READING = "0:0:0:0"


class Ride(NamedTuple):
    """A call that rides along with a decision.

    Attributes:
        call: the call; its failure doesn't affect the decision.
        heard: called with the reply, if there is one.
    """

    call: Call
    heard: Callable[[Any], None]


class Rider(Protocol):
    """Has a call for Redis now and then, which goes along with a decision instead of a round trip of its own."""

    def due(self) -> Ride | None:
        """Return the call that is due now, if there is one; thread-safe."""


class RedisStore:
    """Decides in Redis or Valkey, on one node or a cluster.

    Args:
        target: where Redis is, and its timeouts.
        namespace: keeps the keys of several deployments apart.
        environment_id: this environment's name in the fleet's count.
        clock: paces the heartbeats.
        riders: whose calls ride along with decisions.
        copies: how many bytes of Redis' memory copies may take: one caller's, and all.
        secret: is given the fleet's secret; None: it isn't asked for.
    """

    name = "redis"

    def __init__(
        self,
        target: RedisTarget,
        namespace: str,
        environment_id: str,
        clock: Clock,
        riders: Sequence[Rider] = (),
        *,
        copies: tuple[int, int] = (DEFAULT_CALLER_BYTES, DEFAULT_COPIES_BYTES),
        secret: FleetSecret | None = None,
    ) -> None:
        self.target = target
        self._namespace = namespace
        self._copies = copies
        self._transport: Transport = transport_to(target)
        self._cluster = target.cluster
        self._fleet_key = f"tidegate:{{fleet:{namespace}}}"
        self._clock_key = f"tidegate:{{fleet:{namespace}}}:clock"
        self._riders = riders
        self._secret = secret
        self._refill_clock = RefillClock(
            () if self._cluster else (self._clock_key,), _NO_READING if self._cluster else "0"
        )
        self.away = OutageTimer(clock)
        self._environment_id = environment_id
        self._clock = clock
        self._next_heartbeat = 0.0
        self._life = 0
        self._environments = 1
        self._fleet: Fleet | None = None

    def admit(self, question: Question) -> Answer:
        """Ask everything in one round trip, with the heartbeat and the riders' calls if they are due."""
        return run(self.admitting(question))

    def admitting(self, question: Question) -> Steps[Answer]:
        """Return the steps of `admit`."""
        parts = self._parts(question)
        calls = [admit_call(question, part, self._refill_clock) for part in parts]
        now = self._clock.monotonic()
        beats = now >= self._next_heartbeat
        if beats:
            calls.append(self._heartbeat())
        replies = yield from self._with_riders(calls)
        if beats:
            self._note_heartbeat(replies[-1], now)
        fleet, self._fleet = self._fleet, None
        if not parts:
            return Answer(admitted=True, limits=(), claim=None, store=self.name, fleet=fleet)
        if len(parts) == 1:
            return _answer(parts[0], replies[0], fleet)
        return (yield from self._together(question, parts, replies, fleet))

    def settle(self, settlement: Settlement) -> bool:
        """Settle or renew the claim, make the corrections and keep the copy, all in one round trip."""
        calls = []
        if settlement.claim is not None:
            calls.append(settle_call(settlement))
        calls += [
            correct_call(settlement.subject, charges, self._refill_clock) for charges in self._grouped(settlement)
        ]
        if settlement.cache is not None:
            from tidegate.stores.redis.cache import copy_call, copy_settled  # noqa: PLC0415  only for cached routes

            # Last and best effort: the rest must not fail because a copy isn't taken.
            *_, taken = self.evaluate([*calls, copy_call(settlement.cache, self._room())], best_effort=1)
            return copy_settled(settlement.cache, taken)
        if not calls:
            return True
        done = self.evaluate(calls)
        return settlement.claim is None or bool(done[0])

    def probe(self, patience_s: float | None = None) -> None:
        """Write a key that expires, which a replica, a full server or a hung one can't do.

        Connecting may take `patience_s`: a first connection is made of a look-up, TCP, TLS, AUTH and CLUSTER SLOTS, and
        a cold start would lose Redis by a decision's time. The write may not, since a slower Redis can't decide either;
        it is tried again while there is patience, because one slow reply is no slow Redis.
        After an outage this environment also reports here how long it was away, before its first question.

        Raises:
            StoreUnavailableError: Redis can't write, or didn't reply in time.
        """
        if patience_s is None:
            run(self.probing())
            return
        until = monotonic() + patience_s
        while True:
            self._open(max(0.0, until - monotonic()))
            try:
                run(self.probing())
            except StoreUnavailableError as error:
                if error.kind != "timeout" or monotonic() >= until:
                    raise
            else:
                return

    def probing(self) -> Steps[None]:
        """Return the steps of `probe`."""
        try:
            set_probe = ("SET", "tidegate:probe", self._environment_id, "PX", 1000)
            [reply] = yield from self._sent([set_probe])
        except StoreUnavailableError:
            self.away.failed()
            raise
        if reply != b"OK":
            self.away.failed()
            raise unavailable(reply if isinstance(reply, Exception) else OddReplyError("SET wasn't answered by OK"))
        if self.away.since is not None:
            [reply] = yield from self._evaluating([self._heartbeat()])
            self._note_heartbeat(reply, self._clock.monotonic())

    def _open(self, patience_s: float) -> None:
        try:
            self._transport.open(patience_s)
        except StoreUnavailableError:
            self.away.failed()
            raise

    def close(self) -> None:
        """Close the connections; the next question opens new ones."""
        self._transport.close()

    def _with_riders(self, calls: list[Call]) -> Steps[list[Any]]:
        """Evaluate the calls and the riders' in one round trip; return the replies to the calls."""
        if not self._riders:
            return (yield from self._evaluating(calls))
        rides = [ride for rider in self._riders if (ride := rider.due()) is not None]
        replies = yield from self._evaluating([*calls, *(ride.call for ride in rides)], best_effort=len(rides))
        for ride, reply in zip(rides, replies[len(calls) :], strict=True):
            if not isinstance(reply, Exception):
                ride.heard(reply)
        return replies[: len(calls)]

    def _room(self) -> CopyRoom:
        from tidegate.stores.redis.cache import CopyRoom  # noqa: PLC0415  as above

        caller_bytes, all_bytes = self._copies
        return CopyRoom.of(self._namespace, cluster=self._cluster, caller_bytes=caller_bytes, all_bytes=all_bytes)

    def _heartbeat(self) -> Call:
        report = self.away.report
        return heartbeat_call(
            [self._fleet_key, self._clock_key],
            [
                self._environment_id,
                max(GONE_AFTER_S, 3 * self._environments // HEARTBEATS_PER_S),
                self._life,
                report.away_us,
                report.used_us,
                self._environments,
            ],
            b"" if self._secret is None else self._secret.offered,
        )

    def _note_heartbeat(self, reply: Sequence[Any], now: float) -> None:
        """Note the refill clock and the secret of a heartbeat's reply, and the fleet for the next answer."""
        if self._secret is not None and self._secret.offered:
            *reply, secret = reply
            self._secret.heard(secret)
        self._environments, rank, self._life, *clock = (int(number) for number in reply)
        self._next_heartbeat = now + heartbeat_in_s(self._environments)
        self.away.returned()
        self._refill_clock = self._refill_clock._replace(
            told=":".join(map(str, clock)) if self._cluster else str(self._life)
        )
        self._fleet = Fleet(self._environments, rank)

    def _parts(self, question: Question) -> list[Part]:
        """Return the evaluations that a question needs; none if it asks nothing, since a script needs a key."""
        if question.asks_nothing:
            return []
        return _parts(question) if self._cluster else [Part(question.charges, question.claim, question.cache)]

    def _grouped(self, settlement: Settlement) -> list[tuple[Charge, ...]]:
        """Return the corrections in groups, one for each evaluation."""
        if not settlement.corrections:
            return []
        if not self._cluster:
            return [settlement.corrections]
        return [part.charges for part in _parts(Question(settlement.subject, settlement.corrections))]

    def _together(
        self, question: Question, parts: list[Part], replies: list[Any], fleet: Fleet | None
    ) -> Steps[Answer]:
        """Join the replies of several slots; if one refuses, give back the charges in the others."""
        answers = [_answer(part, reply, fleet) for part, reply in zip(parts, replies, strict=False)]
        known = answers[0].claim is not None and not isinstance(answers[0].claim, Granted | Unknown)
        admitted = known or all(answer.admitted for answer in answers)
        if known or not admitted:
            refused = not admitted and isinstance(answers[0].claim, Granted)
            yield from self._take_back(question, parts, answers, claimed=refused)
        states = {
            charge: state
            for part, answer in zip(parts, answers, strict=True)
            for charge, state in zip(part.charges, answer.limits, strict=True)
        }
        limits = tuple(states[charge] for charge in question.charges)
        claim = Unknown() if not admitted and isinstance(answers[0].claim, Granted) else answers[0].claim
        return Answer(admitted, limits, claim, self.name, fleet, answers[-1].cache if admitted else None)

    def _take_back(self, question: Question, parts: list[Part], answers: list[Answer], *, claimed: bool) -> Steps[None]:
        known = answers[0].claim is not None and not isinstance(answers[0].claim, Granted | Unknown)
        calls = []
        for i, (part, answer) in enumerate(zip(parts, answers, strict=True)):
            charged = [c.given_back(s.counts) for c, s in zip(part.charges, answer.limits, strict=True) if s.allowed]
            if answer.admitted and charged and not question.peek and not (i == 0 and known):
                calls.append(correct_call(question.subject, charged, self._refill_clock))
        if claimed and question.claim is not None:
            calls.append(settle_call(Settlement(question.subject, question.claim, None, fenced=True)))
        if question.cache is not None:
            from tidegate.stores.redis.cache import given_up  # noqa: PLC0415  as above

            calls += given_up(question.cache, answers[-1].cache)
        if calls:
            yield from self._evaluating(calls)

    def evaluate(self, calls: Sequence[Call], best_effort: int = 0) -> list[Any]:
        """Run scripts by digest; a failure of the store begins an outage of this environment.

        Args:
            calls: what to run.
            best_effort: so many of the last calls may fail, with the error as their reply.

        Raises:
            StoreUnavailableError: another call failed; some of the calls may have been executed.
        """
        return run(self._evaluating(calls, best_effort))

    def _evaluating(self, calls: Sequence[Call], best_effort: int = 0) -> Steps[list[Any]]:
        """Return the steps of `evaluate`."""
        if not calls:
            return []
        needed = len(calls) - best_effort
        try:
            replies = yield from self._known(calls, best_effort)
            for i, (call, reply) in enumerate(zip(calls, replies, strict=True)):
                if isinstance(reply, Exception):
                    if i < needed:
                        raise unavailable(reply) from reply
                elif call.fits is not None and not call.fits(reply, call.arguments):
                    self._transport.distrust()  # replies on that connection may be shifted by one command
                    raise unavailable(OddReplyError(f"no reply to what was asked, but {type(reply).__name__}"))
        except StoreUnavailableError as error:
            if error.of_the_store:
                self.away.failed()
            raise
        return replies

    def _known(self, calls: Sequence[Call], best_effort: int) -> Steps[list[Any]]:
        """Run scripts by digest; send those whole, once, that the server doesn't know, as after a restart."""
        replies = yield from self._sent([_command("EVALSHA", call.script.sha, call) for call in calls], best_effort)
        unknown = [i for i, reply in enumerate(replies) if isinstance(reply, NoScriptError)]
        if unknown:
            whole = [_command("EVAL", calls[i].script.source, calls[i]) for i in unknown]
            again = yield from self._sent(whole, sum(i >= len(calls) - best_effort for i in unknown))
            for i, reply in zip(unknown, again, strict=True):
                replies[i] = reply
        return replies

    def _sent(self, commands: Sequence[Command], best_effort: int = 0) -> Steps[list[Any]]:
        """Send commands; if an idle connection of an event loop proves dead before it replies, send again, once."""
        step = SendStep(self._transport, commands, best_effort)
        replies: list[Any]
        try:
            replies = yield step
        except UnheardError:
            pass
        else:
            return replies
        try:
            replies = yield step
        except UnheardError as error:
            raise unavailable(error) from error
        return replies


def heartbeat_in_s(environments: int) -> float:
    """Return the seconds until the next heartbeat: random in a large fleet, so that heartbeats don't stay in step."""
    mean_s = environments / HEARTBEATS_PER_S
    if mean_s <= HEARTBEAT_EVERY_S:
        return HEARTBEAT_EVERY_S
    return mean_s * random.uniform(0.5, 1.5)  # noqa: S311  guards nothing


def _command(verb: str, script: str, call: Call) -> Command:
    return (verb, script, len(call.keys), *call.keys, *call.arguments)


def _parts(question: Question) -> list[Part]:
    """Split a question by hash slot: its own subject's charges with the claim, other subjects' charges, the copy."""
    parts = [
        Part(
            tuple(charge for charge in question.charges if question.subject_of(charge) == subject),
            question.claim if subject == question.subject else None,
        )
        for subject in question.subjects
    ]
    parts = [part for part in parts if part.charges or part.claim]
    if question.cache is not None:
        parts.append(Part(cache=question.cache))
    return parts


def _answer(part: Part, reply: Sequence[Any], fleet: Fleet | None) -> Answer:
    claim = None if part.claim is None else read_claim(reply, part)
    cache = None if part.cache is None else read_cache(reply, part)
    return Answer(bool(reply[0]), read_limits(reply, part.charges), claim, RedisStore.name, fleet, cache)

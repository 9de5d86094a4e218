"""Decisions in Redis: one script, one round trip, the server's clock.

On one node a question is one evaluation, whatever it is about. On a cluster the keys of one evaluation must lie in
one hash slot: a question about several subjects then goes out as one evaluation for each, all of them at once, and
what was charged in one slot is given back if another one refuses.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tidegate.clock import Clock
from tidegate.errors import StoreUnavailableError
from tidegate.question import Answer, Charge, Fleet, Granted, Question, Settlement, Unknown
from tidegate.stores.away import Away
from tidegate.stores.connection import RedisTarget, Transport, transport_to
from tidegate.stores.demand import DemandView
from tidegate.stores.redis_faults import NoScriptError, unavailable
from tidegate.stores.redis_scripts import (
    Call,
    Ladder,
    Part,
    admit_call,
    correct_call,
    demand_call,
    heartbeat_call,
    read_cache,
    read_claim,
    read_demand,
    read_limits,
    settle_call,
)
from tidegate.stores.resp import Command

if TYPE_CHECKING:
    from tidegate.outcomes.tally import Batch, Tally

HEARTBEAT_EVERY_S = 5
GONE_AFTER_S = 15
_UNHEARD = "0:0:0:0"


class RedisStore:
    """Decides in Redis or Valkey, on one node or a cluster.

    Args:
        target: where Redis is, and its timeouts.
        namespace: keeps the keys of several deployments apart.
        environment_id: how this environment counts in the fleet.
        clock: paces the heartbeats.
        demand: what to tell of this environment's demand, and where to note the fleet's; None: nothing.
        tally: what this environment has counted, to be taken along; None: nothing.
    """

    name = "redis"

    def __init__(
        self,
        target: RedisTarget,
        namespace: str,
        environment_id: str,
        clock: Clock,
        demand: DemandView | None = None,
        tally: Tally | None = None,
    ) -> None:
        self.target = target
        self._transport: Transport = transport_to(target)
        self._cluster = target.cluster
        self._fleet_key = f"tidegate:{{fleet:{namespace}}}"
        self._ladder_key = f"tidegate:{{fleet:{namespace}}}:clock"
        self._demand_key = f"tidegate:{{fleet:{namespace}}}:demand"
        self._demand = demand
        self._tally = tally
        self._ladder = Ladder(() if self._cluster else (self._ladder_key,), _UNHEARD if self._cluster else "0")
        self.away = Away(clock)
        self._environment_id = environment_id
        self._clock = clock
        self._next_heartbeat = 0.0
        self._life = 0
        self._environments = 1
        self._fleet: Fleet | None = None

    def admit(self, question: Question) -> Answer:
        """Ask everything in one round trip; a heartbeat and what this environment tells of its demand ride along."""
        parts = _parts(question) if self._cluster else [Part(question.charges, question.claim, question.cache)]
        calls = [admit_call(question, part, self._ladder) for part in parts]
        now = self._clock.monotonic()
        beats = now >= self._next_heartbeat
        if beats:
            calls.append(self._heartbeat())
        report = None if self._demand is None else self._demand.due()
        if report is not None:
            calls.append(demand_call(self._demand_key, report))
        batch = None if self._tally is None else self._tally.due()
        replies = self.evaluate(calls) if batch is None else self._taking(batch, calls)
        if self._demand is not None and report is not None:
            self._demand.heard(read_demand(replies.pop()))
        if beats:
            self._heard(replies[-1], now)
        fleet, self._fleet = self._fleet, None
        if len(parts) == 1:
            return _answer(parts[0], replies[0], fleet)
        return self._together(question, parts, replies, fleet)

    def settle(self, settlement: Settlement) -> bool:
        """Store answers for replays and copies, release or renew what Redis holds, and put charges right, at once."""
        calls = []
        if settlement.claim is not None:
            calls.append(settle_call(settlement))
        if settlement.cache is not None:
            from tidegate.stores.redis_cache import copy_call  # noqa: PLC0415  only what caches needs it

            calls.append(copy_call(settlement.cache))
        calls += [correct_call(settlement.subject, charges, self._ladder) for charges in self._grouped(settlement)]
        if not calls:
            return True
        done = self.evaluate(calls)
        return (settlement.claim is None and settlement.cache is None) or bool(done[0])

    def probe(self, patience_s: float | None = None) -> None:
        """Write a key that expires: a replica, a full memory and a hung server all refuse that.

        The connections' timeouts bound it; a Redis that needs more patience can't decide either. Who comes back says
        here for how long it was away, before it asks for anything.
        """
        del patience_s
        try:
            [reply] = self._transport.send([("SET", "tidegate:probe", self._environment_id, "PX", 1000)])
        except StoreUnavailableError:
            self.away.failed()
            raise
        if isinstance(reply, Exception):
            self.away.failed()
            raise unavailable(reply)
        if self.away.since is not None:
            [reply] = self.evaluate([self._heartbeat()])
            self._heard(reply, self._clock.monotonic())

    def close(self) -> None:
        """Close the connections; the next question opens new ones."""
        self._transport.close()

    def _taking(self, batch: Batch, calls: list[Call]) -> list[Any]:
        """Evaluate, and count a batch in the same round trip; the calls' replies count whatever became of that."""
        from tidegate.outcomes.in_redis import count_call  # noqa: PLC0415  only what counts needs it

        if self._tally is None:
            return self.evaluate(calls)
        count = count_call(self._tally.source, self._tally.environment, batch)
        *replies, counted = self.evaluate([*calls, count], spared=1)
        if not isinstance(counted, Exception):
            self._tally.heard(batch)
        return replies

    def _heartbeat(self) -> Call:
        absence = self.away.absence
        return heartbeat_call(
            [self._fleet_key, self._ladder_key],
            [
                self._environment_id,
                GONE_AFTER_S,
                self._life,
                absence.away_us,
                absence.used_us,
                self._environments,
            ],
        )

    def _heard(self, reply: Sequence[int], now: float) -> None:
        """Note what the heartbeat's answer says of the ladder, and, for the next answer, of the fleet."""
        self._environments, rank, self._life, *clock = (int(number) for number in reply)
        self._next_heartbeat = now + HEARTBEAT_EVERY_S
        self.away.returned()
        self._ladder = self._ladder._replace(told=":".join(map(str, clock)) if self._cluster else str(self._life))
        self._fleet = Fleet(self._environments, rank)

    def _grouped(self, settlement: Settlement) -> list[tuple[Charge, ...]]:
        """The corrections by what one evaluation may touch."""
        if not settlement.corrections:
            return []
        if not self._cluster:
            return [settlement.corrections]
        return [part.charges for part in _parts(Question(settlement.subject, settlement.corrections))]

    def _together(self, question: Question, parts: list[Part], replies: list[Any], fleet: Fleet | None) -> Answer:
        """Sum up what several slots said; if one refuses, the others give back what they charged."""
        answers = [_answer(part, reply, fleet) for part, reply in zip(parts, replies, strict=False)]
        known = answers[0].claim is not None and not isinstance(answers[0].claim, Granted | Unknown)
        admitted = known or all(answer.admitted for answer in answers)
        if known or not admitted:
            self._take_back(question, parts, answers, claimed=not admitted and isinstance(answers[0].claim, Granted))
        states = {
            charge: state
            for part, answer in zip(parts, answers, strict=True)
            for charge, state in zip(part.charges, answer.limits, strict=True)
        }
        limits = tuple(states[charge] for charge in question.charges)
        claim = Unknown() if not admitted and isinstance(answers[0].claim, Granted) else answers[0].claim
        return Answer(admitted, limits, claim, self.name, fleet, answers[-1].cache if admitted else None)

    def _take_back(self, question: Question, parts: list[Part], answers: list[Answer], *, claimed: bool) -> None:
        known = answers[0].claim is not None and not isinstance(answers[0].claim, Granted | Unknown)
        calls = []
        for i, (part, answer) in enumerate(zip(parts, answers, strict=True)):
            charged = [c for c, s in zip(part.charges, answer.limits, strict=True) if s.allowed]
            if answer.admitted and charged and not question.peek and not (i == 0 and known):
                calls.append(correct_call(question.subject, [c._replace(cost=-c.cost) for c in charged], self._ladder))
        if claimed and question.claim is not None:
            calls.append(settle_call(Settlement(question.subject, question.claim, None, fenced=True)))
        if question.cache is not None:
            from tidegate.stores.redis_cache import given_up  # noqa: PLC0415  as above

            calls += given_up(question.cache, answers[-1].cache)
        if calls:
            self.evaluate(calls)

    def evaluate(self, calls: Sequence[Call], spared: int = 0) -> list[Any]:
        """Run scripts by digest, and remember when that fails: then this environment is away.

        Args:
            calls: what to run.
            spared: so many of the last may fail: the error is then their reply.

        Raises:
            StoreUnavailableError: it did; what was done is unknown.
        """
        try:
            return self._evaluated(calls, spared)
        except StoreUnavailableError:
            self.away.failed()
            raise

    def _evaluated(self, calls: Sequence[Call], spared: int) -> list[Any]:
        """Run scripts; those that the server doesn't know (it restarted) are sent whole, once."""
        needed = len(calls) - spared
        replies = self._transport.send([_command("EVALSHA", call.script.sha, call) for call in calls], spared)
        unknown = [i for i, reply in enumerate(replies) if isinstance(reply, NoScriptError)]
        if unknown:
            whole = [_command("EVAL", calls[i].script.source, calls[i]) for i in unknown]
            again = self._transport.send(whole, sum(i >= needed for i in unknown))
            for i, reply in zip(unknown, again, strict=True):
                replies[i] = reply
        for reply in replies[:needed]:
            if isinstance(reply, Exception):
                raise unavailable(reply) from reply
        return replies


def _command(verb: str, script: str, call: Call) -> Command:
    return (verb, script, len(call.keys), *call.keys, *call.arguments)


def _parts(question: Question) -> list[Part]:
    """The charges by subject, those of the question's own subject first, with the claim; and at last the copy."""
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
    return parts or [Part()]


def _answer(part: Part, reply: Sequence[Any], fleet: Fleet | None) -> Answer:
    claim = None if part.claim is None else read_claim(reply, part)
    cache = None if part.cache is None else read_cache(reply, part)
    return Answer(bool(reply[0]), read_limits(reply, part.charges), claim, RedisStore.name, fleet, cache)

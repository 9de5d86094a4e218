"""Both shared stores in memory: Redis by the pure algorithms, DynamoDB below botocore's one method that calls it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

from botocore.exceptions import ClientError

from tests.simulation.idempotency_dynamodb import ConditionFailedError, SimulatedDynamoDB
from tidegate.clock import Clock
from tidegate.decision import Known, State
from tidegate.errors import StoreUnavailableError
from tidegate.limits.token_bucket import Bucket
from tidegate.messages import Answer, Charge, Fleet, Question, Settlement, Verdict
from tidegate.stores.dynamodb.client import DynamoClient, DynamoTimeouts, Listener
from tidegate.stores.redis.outage import OutageTimer
from tidegate.stores.redis.refill_clock import KEPT_LONGER_US, OutageReport, PausableClock
from tidegate.stores.redis.store import GONE_AFTER_S, HEARTBEAT_EVERY_S

Key = tuple[str, str]
_SEEN_EVERY_US = 50_000


class SimulatedRedis:
    """What `admit.lua`, `correct.lua` and `heartbeat.lua` do, in Python; `now_us` is the server's clock."""

    def __init__(self, now_us: Callable[[], int]) -> None:
        self.now_us = now_us
        self.up = True
        self.restart_empty()

    def restart_empty(self) -> None:
        self.kept: dict[Key, tuple[State, int]] = {}
        self.fleet: dict[str, int] = {}
        self.stand = PausableClock(0)

    def admit(self, question: Question, life: int) -> Answer:
        now_us, bucket_now_us = self._times(life)
        decisions = []
        for charge in question.charges:
            state = self._state(question.subject_of(charge), charge)
            decisions.append(charge.decide(state, bucket_now_us if charge.rule.kind in "bd" else now_us))
        verdict = Verdict.of(question, tuple(decisions))
        if verdict.charged:
            for charge, decision in zip(question.charges, decisions, strict=True):
                if decision.allowed:
                    self._keep(question.subject_of(charge), charge, decision.kept, bucket_now_us)
        return Answer(verdict.admitted, verdict.limits, None, "redis")

    def correct(self, subject: str, charges: tuple[Charge, ...], life: int) -> None:
        now_us, bucket_now_us = self._times(life)
        for charge in charges:
            of = charge.subject or subject
            then_us = bucket_now_us if charge.rule.kind in "bd" else now_us
            kept = charge.rule.corrected(self._state(of, charge), then_us, charge.cost, charge.known)
            self._keep(of, charge, kept, bucket_now_us)

    def heartbeat(self, environment: str, life: int, absence: OutageReport, known: int) -> tuple[Fleet, int]:
        now_us = self.now_us()
        self._notice_loss(life)
        if not self.stand.life:
            self.stand = PausableClock(now_us, seen_us=now_us)
        if now_us - self.stand.life >= GONE_AFTER_S * 1_000_000:
            known = 1
        if absence.away_us:
            self.stand = self.stand.returned(now_us, absence, max(known, len(self.fleet)))
        self._seen(now_us)
        now_s = (now_us - self.stand.paused_us) // 1_000_000
        self.fleet[environment] = now_s
        self.fleet = {name: seen for name, seen in self.fleet.items() if seen > now_s - GONE_AFTER_S}
        rank = sum(other < environment for other in self.fleet)
        return Fleet(max(known, len(self.fleet)), rank), self.stand.life

    def _times(self, life: int) -> tuple[int, int]:
        self._notice_loss(life)
        now_us = self.now_us()
        if self.stand.life and now_us - self.stand.seen_us > _SEEN_EVERY_US:
            self._seen(now_us)
        return now_us, self.stand.now_us(now_us)

    def _notice_loss(self, life: int) -> None:
        if life and life != self.stand.life and not self.stand.born_us:
            self.stand = self.stand.after_loss(self.now_us())

    def _seen(self, now_us: int) -> None:
        self.stand = self.stand._replace(seen_us=now_us)

    def _state(self, subject: str, charge: Charge) -> State | None:
        state, until_us = self.kept.get((subject, charge.key), (None, 0))
        if state is not None and until_us > self.now_us():
            return state
        if isinstance(charge.rule, Bucket) and self.stand.born_us:
            return (self.stand.born_us + charge.rule.depth_us - charge.rule.interval_us,)
        return None

    def _keep(self, subject: str, charge: Charge, state: State, bucket_now_us: int) -> None:
        now_us = self.now_us()
        of_bucket = charge.rule.kind in "bd"
        left_us = charge.rule.kept_for_us(state, bucket_now_us if of_bucket else now_us)
        self.kept[subject, charge.key] = state, now_us + left_us + (KEPT_LONGER_US if of_bucket else 0)


class RedisRung:
    """One environment's way to Redis: what `RedisStore` does."""

    name = "redis"

    def __init__(self, server: SimulatedRedis, environment: str, clock: Clock) -> None:
        self.server = server
        self.away = OutageTimer(clock)
        self.cut = False
        self._environment = environment
        self._clock = clock
        self._next_heartbeat = 0.0
        self._life = 0
        self._environments = 1
        self._fleet: Fleet | None = None

    def admit(self, question: Question) -> Answer:
        self._reach()
        answer = self.server.admit(question, self._life)
        if self._clock.monotonic() >= self._next_heartbeat:
            self._beat()
        fleet, self._fleet = self._fleet, None
        return answer._replace(fleet=fleet)

    def settle(self, settlement: Settlement) -> bool:
        self._reach()
        self.server.correct(settlement.subject, settlement.corrections, self._life)
        return True

    def probe(self, patience_s: float | None = None) -> None:
        del patience_s
        self._reach()
        if self.away.since is not None:
            self._beat()

    def close(self) -> None:
        """No connection to close."""

    def _reach(self) -> None:
        if self.cut or not self.server.up:
            self.away.failed()
            raise StoreUnavailableError("redis", "refused")

    def _beat(self) -> None:
        fleet, self._life = self.server.heartbeat(self._environment, self._life, self.away.report, self._environments)
        self._environments, self._fleet = fleet.environments, fleet
        self.away.returned()
        self._next_heartbeat = self._clock.monotonic() + HEARTBEAT_EVERY_S


class DynamoServer:
    """The table, up or not; counts writes by item, and tells the second in each answer."""

    def __init__(self, now_us: Callable[[], int]) -> None:
        self.table = SimulatedDynamoDB(lambda *_: None)
        self.up = True
        self.writes: dict[str, int] = {}
        self.on_write: Callable[[str], None] = lambda _pk: None
        self._now_us = now_us
        self._dated = (0, "")

    def _make_api_call(self, operation: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """The name by which `DynamoClient` calls botocore."""
        if not self.up:
            raise ConnectionError
        if operation != "GetItem":
            pk = (arguments.get("Key") or arguments["Item"])["pk"]["S"]
            self.writes[pk] = self.writes.get(pk, 0) + 1
            self.on_write(pk)
        arguments = {name: value for name, value in arguments.items() if not name.startswith("ReturnValuesOn")}
        told = {"ResponseMetadata": {"HTTPHeaders": {"date": self._date()}}}
        try:
            return {**self.table.execute(operation, arguments), **told}
        except ConditionFailedError as refused:
            refusal = {"Error": {"Code": "ConditionalCheckFailedException"}, "Item": dict(refused.item), **told}
            raise ClientError(refusal, operation) from None

    def _date(self) -> str:
        second = self._now_us() // 1_000_000
        if self._dated[0] != second:
            self._dated = second, format_datetime(datetime.fromtimestamp(second, UTC), usegmt=True)
        return self._dated[1]


class SimulatedDynamoClient(DynamoClient):
    """The client as it is, over the simulated server."""

    def __init__(self, server: DynamoServer, listener: Listener) -> None:
        super().__init__(DynamoTimeouts(1, 1), listener=listener)
        self._server = server

    def _client_made(self) -> Any:
        return self._server


__all__ = ["DynamoServer", "Known", "RedisRung", "SimulatedDynamoClient", "SimulatedRedis"]

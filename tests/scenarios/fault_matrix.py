"""The fault matrix: every class of fault, made for real under load, and what clients and stores saw of it.

`python -m tests.scenarios.fault_matrix --write docs/faults.md` measures all of it, and writes it down.
"""

from __future__ import annotations

import argparse
import time
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from tests.harness.dynamodb import DynamoServer
from tests.harness.redis_binary import redis_speaks_tls
from tests.scenarios.environment import FACES, Environment, Face, Line
from tests.scenarios.faults import FAULTS, Fault
from tests.scenarios.load import Load
from tests.scenarios.orders import Order, Orders
from tests.scenarios.places import Kind, Place

_WITHIN_S = 20.0
_CALM = 50


@dataclass(frozen=True)
class Extent:
    """How long the phases are, at least, and under which load.

    Attributes:
        before, during, after: requests of each phase.
        during_s: seconds of the fault.
        pause_s: the clients' rest between two requests, shared by them.
        budget_ms: the environment's decision budget.
    """

    before: int
    during: int
    after: int
    during_s: float
    pause_s: float
    budget_ms: int


# A test isn't about time: the phases are short, and the budget is as far above what a busy machine needs as it may be:
# Redis' third of it ends before the slowest of its faults, 200 ms.
TESTED = Extent(before=0, during=100, after=0, during_s=0.0, pause_s=0.001, budget_ms=540)
MEASURED = Extent(before=100, during=300, after=100, during_s=4.0, pause_s=0.008, budget_ms=60)


@dataclass(frozen=True)
class Observed:
    """What was seen of one fault.

    Attributes:
        fault, face: which, and where.
        statuses, statuses_during: what was answered in all phases, and in the fault.
        before, during, after: who decided, by phase; `during` counts requests that began and ended in the fault.
        impossible: decisions in the fault by the failing store that it can't have made.
        admission_ms: what decisions took from the fault's first moment to its last, in ascending order.
        requests, seconds: of the phase in which attempts were counted.
        connects, commands: attempts that went to the failing store in it.
        recovery_s: from the store's return to the first decision that it made and was not followed by others'.
        orders: what became of the idempotent requests.
        traces: exceptions in the environment's log.
    """

    fault: Fault
    face: Face
    statuses: Counter[int]
    statuses_during: Counter[int]
    before: Counter[str | None]
    during: Counter[str | None]
    after: Counter[str | None]
    impossible: int
    admission_ms: tuple[float, ...]
    requests: int
    seconds: float
    connects: int
    commands: int
    recovery_s: float
    orders: tuple[Order, ...]
    traces: int

    def percentile(self, share: float) -> float:
        """A percentile of what decisions took while the fault lasted, in milliseconds."""
        return self.admission_ms[min(len(self.admission_ms) - 1, int(share * len(self.admission_ms)))]

    def errors(self) -> list[str]:
        """What no client may see, and no log may hold."""
        allowed = {200, 429} | self.fault.statuses
        outside = {status: count for status, count in self.statuses.items() if status not in allowed}
        outside |= {s: n for s, n in self.statuses_during.items() if s not in self.fault.statuses}
        found = [f"{count} x {status}" for status, count in sorted(outside.items())]
        return found + ([f"{self.traces} exceptions"] if self.traces else [])

    def misnamed(self) -> list[str]:
        """The phases in which another store decided most than had to, or the failing one decided at all."""
        must = (self.fault.preferred, self.fault.decided_by, self.fault.preferred)
        phases = zip(("before", "during", "after"), (self.before, self.during, self.after), must, strict=True)
        wrong = [
            f"{phase}: {dict(seen)}" for phase, seen, store in phases if not seen or seen.most_common(1)[0][0] != store
        ]
        return wrong + (["the failing store decided"] if self.impossible else [])


class Scenarios:
    """Runs faults; places and environments are started when first needed, and shared by the faults that follow."""

    def __init__(self, dynamo: DynamoServer, extent: Extent) -> None:
        self._dynamo = dynamo
        self._extent = extent
        self._stack = ExitStack()
        self._places: dict[Kind, Place] = {}
        self._environments: dict[tuple[Kind, Face], Environment] = {}

    def run(self, fault: Fault, face: Face) -> Observed:
        """Make the fault under load, and end it."""
        place, environment = self._place(fault.kind), self._environment(fault.kind, face)
        with _redis_gone(place, environment, gone=fault.without_redis):
            return _Scenario(fault, place, environment, self._extent).run()

    def close(self) -> None:
        """End every process."""
        self._stack.close()

    def _place(self, kind: Kind) -> Place:
        if kind not in self._places:
            self._places[kind] = kind(self._dynamo, self._stack)
        return self._places[kind]

    def _environment(self, kind: Kind, face: Face) -> Environment:
        if (kind, face) not in self._environments:
            environment = Environment(face, self._place(kind), self._extent.budget_ms)
            self._environments[kind, face] = self._stack.enter_context(environment)
        return self._environments[kind, face]


class _Scenario:
    """One fault on one face; the methods are its phases."""

    def __init__(self, fault: Fault, place: Place, environment: Environment, extent: Extent) -> None:
        self._fault = fault
        self._place = place
        self._environment = environment
        self._extent = extent
        self._traces = environment.traces()
        self._first = len(environment.lines())
        self._orders = Orders(environment)

    def run(self) -> Observed:
        pause_s = self._extent.pause_s * self._environment.concurrency
        with Load(self._environment, self._fault.route, uuid.uuid4().hex, pause_s) as load:
            self._until_calm()
            kept = self._orders.place()
            calm_s = self._until_calm(time.time()).ended_s
            load.go_on(self._extent.before)
            began_s = time.time()
            self._fault.begin(self._place)
            broken_s = time.time()
            connects, commands, requests = self._attempts(load, broken_s)
            kept, lost = self._orders.settle(kept), self._orders.place()
            mending_s = time.time()
            self._fault.end(self._place)
            mended_s = time.time()
            recovered_s = self._until_calm(mending_s).ended_s
            load.go_on(self._extent.after)
            orders = (self._orders.settle(kept), self._orders.settle(lost))
        lines = self._ours()
        during = [line for line in lines if line.began_s > broken_s and line.ended_s < mending_s]
        return Observed(
            fault=self._fault,
            face=self._environment.face,
            statuses=load.statuses,
            statuses_during=Counter(line.status for line in during),
            before=_stores(line for line in lines if calm_s <= line.ended_s < began_s),
            during=_stores(during),
            after=_stores(line for line in lines if line.ended_s >= recovered_s),
            impossible=sum(line.store == self._fault.preferred and not self._can_be_read(line) for line in during),
            admission_ms=tuple(sorted(_admissions(lines, began_s, mending_s))),
            requests=requests,
            seconds=self._seconds,
            connects=connects,
            commands=commands,
            recovery_s=max(0.0, recovered_s - mended_s),
            orders=orders,
            traces=self._environment.traces() - self._traces,
        )

    def _attempts(self, load: Load, broken_s: float) -> tuple[int, int, int]:
        """Let the fault last; count what goes to the failing store meanwhile, and the requests."""
        proxy = self._place.to_redis if self._fault.dependency == "redis" else self._place.to_dynamo
        proxy.reset_counts()
        connects, answered, began = self._environment.connects(proxy.port), load.answered, time.monotonic()
        load.go_on(self._extent.during, self._extent.during_s)
        self._until_fallback_decides(broken_s)
        self._seconds = time.monotonic() - began
        commands = len(proxy.counts().commands)
        return self._environment.connects(proxy.port) - connects, commands, load.answered - answered

    def _can_be_read(self, line: Line) -> bool:
        # What was leased before the fault, or refused, an environment answers in DynamoDB's name for a moment more.
        return (self._fault.readable and line.status == 429) or self._fault.dependency == "dynamodb"

    def _until_calm(self, since_s: float = 0.0) -> Line:
        """Return the first of the decisions that the preferred store has made without a break, once they are enough."""
        ends = time.monotonic() + _WITHIN_S
        while True:
            ours = [line for line in self._ours() if line.ended_s > since_s]
            run = list(takewhile(lambda line: line.store == self._fault.preferred, reversed(ours)))
            if len(run) >= _CALM:
                return run[-1]
            if time.monotonic() > ends:
                tail = self._environment.log_tail()
                raise AssertionError(f"{self._fault.preferred} doesn't decide, {_stores(ours)}:\n{tail}")
            time.sleep(0.01)

    def _until_fallback_decides(self, since_s: float) -> None:
        """Wait until most decisions are its own; on a busy machine it may miss its time, too, and rest for a moment."""
        ends = time.monotonic() + _WITHIN_S
        while True:
            seen = _stores(line for line in self._ours() if line.began_s > since_s)
            if seen[self._fault.decided_by] > seen.total() / 2:
                return
            if time.monotonic() > ends:
                tail = self._environment.log_tail()
                raise AssertionError(f"{self._fault.decided_by} doesn't decide, {seen}:\n{tail}")
            time.sleep(0.01)

    def _ours(self) -> list[Line]:
        return [line for line in self._environment.lines()[self._first :] if line.route == self._fault.route]


def _stores(lines: Iterable[Line]) -> Counter[str | None]:
    return Counter(line.store for line in lines)


def _admissions(lines: Sequence[Line], since_s: float, until_s: float) -> Iterator[float]:
    for line in lines:
        if line.ended_s > since_s and line.began_s < until_s and line.admission_ms is not None:
            yield line.admission_ms


@contextmanager
def _redis_gone(place: Place, environment: Environment, *, gone: bool) -> Iterator[None]:
    """Take Redis away for the faults of what stands behind it."""
    if not gone:
        yield
        return
    place.to_redis.refuse()
    try:
        yield
    finally:
        place.to_redis.pass_through()


def possible() -> tuple[Fault, ...]:
    """The faults that can be made here: a redis-server may be built without TLS."""
    return tuple(fault for fault in FAULTS if not fault.needs_tls or redis_speaks_tls())


def main() -> None:
    """Measure the matrix, print it, and write it if a file is named."""
    from tests.scenarios import fault_report  # noqa: PLC0415  which needs this module's types

    parser = argparse.ArgumentParser(prog="python -m tests.scenarios.fault_matrix", description=__doc__)
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the tables to this Markdown file")
    parser.add_argument("--only", default="", metavar="WORD", help="only the faults with this word in their names")
    arguments = parser.parse_args()
    chosen = [fault for fault in possible() if arguments.only in fault.title]
    with DynamoServer() as dynamo:
        scenarios = Scenarios(dynamo, MEASURED)
        try:
            seen = [fault_report.progress(scenarios.run(fault, face)) for face in FACES for fault in chosen]
        finally:
            scenarios.close()
    fault_report.show(seen)
    if arguments.write:
        arguments.write.write_text(fault_report.markdown(seen, MEASURED), encoding="utf-8")


if __name__ == "__main__":
    main()

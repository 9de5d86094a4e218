"""A failover chain of stores in memory, which fail, lose their answers and come back empty when told to."""

from typing import get_args

from tidegate.errors import FaultKind, StoreUnavailableError
from tidegate.failover.breaker import Breaker
from tidegate.failover.circuit import CircuitBreakerStore
from tidegate.failover.store import FailoverStore
from tidegate.messages import Answer, Fleet, Question, Settlement
from tidegate.stores.memory import MemoryStore
from tidegate.testing import FailingStore, FakeClock

FAULTS: tuple[FaultKind, ...] = get_args(FaultKind)


class _Memory(MemoryStore):
    """Memory under another store's name."""

    def __init__(self, clock: FakeClock, name: str) -> None:
        super().__init__(clock)
        self.name = name  # type: ignore[misc]  # a class's attribute elsewhere, this object's own here


class SharedStore(FailingStore):
    """A store that the fleet shares."""

    def __init__(self, name: str, clock: FakeClock) -> None:
        super().__init__(_Memory(clock, name))
        self._clock = clock
        self.decided = 0
        self.settled: list[Settlement] = []
        self.environments: int | None = None
        self.loses_answers = False

    def admit(self, question: Question) -> Answer:
        answer = super().admit(question)
        if self.loses_answers:
            raise StoreUnavailableError(self.name, "timeout", "decided, but the answer was lost")
        self.decided += 1
        return answer._replace(fleet=None if self.environments is None else Fleet(self.environments, 0))

    def settle(self, settlement: Settlement) -> bool:
        self._stumble()
        self.settled.append(settlement)
        return True

    def come_back_empty(self) -> None:
        self.fault, self._store = None, _Memory(self._clock, self.name)


class FailoverChain:
    """One environment with Redis and DynamoDB above its own memory."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.redis = SharedStore("redis", self.clock)
        self.dynamodb = SharedStore("dynamodb", self.clock)
        handles = [CircuitBreakerStore(store, Breaker(self.clock), self.clock) for store in (self.redis, self.dynamodb)]
        self.store = FailoverStore(handles, MemoryStore(self.clock), self.clock)

"""For tests of applications that use Tidegate: a clock that the test moves, and a store that the test makes fail."""

from __future__ import annotations

from threading import Lock

from tidegate.errors import FaultKind, StoreUnavailableError
from tidegate.messages import Answer, Question, Settlement
from tidegate.stores.base import Store


class FakeClock:
    """A clock that moves only by `advance`; thread-safe.

    Args:
        wall_us: where it starts; epoch microseconds.
    """

    def __init__(self, wall_us: int = 1_800_000_000_000_000) -> None:
        self._wall_us = wall_us
        self._elapsed_us = 0
        self._lock = Lock()

    def wall_us(self) -> int:
        """Return the clock's time; epoch microseconds."""
        return self._wall_us + self._elapsed_us

    def monotonic(self) -> float:
        """Return the seconds advanced since the start."""
        return self._elapsed_us / 1_000_000

    def advance(self, seconds: float) -> None:
        """Move the clock forward."""
        with self._lock:
            self._elapsed_us += round(seconds * 1_000_000)


class FailingStore:
    """A store in front of another one, which fails while `fault` is set.

    Args:
        store: the store that answers while no fault is set.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self.fault: FaultKind | None = None
        self.asked = 0

    @property
    def name(self) -> str:
        """The store's name."""
        return self._store.name

    def admit(self, question: Question) -> Answer:
        """Decide, or fail."""
        self._stumble()
        return self._store.admit(question)

    def settle(self, settlement: Settlement) -> bool:
        """Write, or fail."""
        self._stumble()
        return self._store.settle(settlement)

    def probe(self, patience_s: float | None = None) -> None:
        """Probe, or fail."""
        self._stumble()
        self._store.probe(patience_s)

    def close(self) -> None:
        """Close the store."""
        self._store.close()

    def _stumble(self) -> None:
        self.asked += 1
        if self.fault is not None:
            raise StoreUnavailableError(self.name, self.fault)

"""The store that is always there: this environment's own memory.

It is the last rung of the ladder, and the whole store of a single process (`TIDEGATE_STORE=memory`).
"""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock

from tidegate.algorithms.token_bucket import take
from tidegate.clock import Clock
from tidegate.question import Answer, Question, Settlement, limit_states


class MemoryStore:
    """Decisions in one process, with the pure algorithms.

    Args:
        clock: where the time comes from.
        capacity: buckets kept; beyond it the one unused for longest is forgotten.
    """

    name = "memory"

    def __init__(self, clock: Clock, capacity: int = 10_000) -> None:
        self._clock = clock
        self._capacity = capacity
        self._tats: OrderedDict[tuple[str, str], int] = OrderedDict()
        self._lock = Lock()

    def admit(self, question: Question) -> Answer:
        """Decide with the pure functions; claims are asked of `MemoryClaims`."""
        now = self._clock.wall_us()
        with self._lock:
            taken = [
                take(self._tats.get((question.subject, c.key)), now, c.bucket, c.cost, c.known_debt_us)
                for c in question.charges
            ]
            admitted = all(t.allowed for t in taken)
            if admitted:
                for charge, t in zip(question.charges, taken, strict=True):
                    self._remember((question.subject, charge.key), t.tat_us)
        return Answer(admitted, limit_states(question, taken, now, charged=admitted), claim=None, store=self.name)

    def settle(self, settlement: Settlement) -> bool:
        """Nothing to write: answers are kept by `MemoryClaims`."""
        del settlement
        return True

    def probe(self, patience_s: float | None = None) -> None:
        """Memory always answers."""

    def close(self) -> None:
        """Nothing to let go of."""

    def _remember(self, key: tuple[str, str], tat_us: int) -> None:
        self._tats[key] = tat_us
        self._tats.move_to_end(key)
        if len(self._tats) > self._capacity:
            self._tats.popitem(last=False)

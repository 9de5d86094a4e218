"""The store that is always there: this environment's own memory.

It is the last rung of the ladder, and the whole store of a single process (`TIDEGATE_STORE=memory`).
"""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock

from tidegate.algorithms.decision import State
from tidegate.clock import Clock
from tidegate.question import Answer, Charge, Question, Settlement, Verdict

_Key = tuple[str, str, str]


class MemoryStore:
    """Decisions in one process, with the pure algorithms.

    Args:
        clock: where the time comes from.
        capacity: limits' states kept; beyond it the one unused for longest is forgotten.
    """

    name = "memory"

    def __init__(self, clock: Clock, capacity: int = 10_000) -> None:
        self._clock = clock
        self._capacity = capacity
        self._states: OrderedDict[_Key, State] = OrderedDict()
        self._lock = Lock()

    def admit(self, question: Question) -> Answer:
        """Decide with the pure functions; claims are asked of `MemoryClaims`."""
        now = self._clock.wall_us()
        keys = [_key(question.subject_of(charge), charge) for charge in question.charges]
        with self._lock:
            decisions = tuple(
                charge.decide(self._states.get(key), now) for key, charge in zip(keys, question.charges, strict=True)
            )
            verdict = Verdict.of(question, decisions)
            if verdict.charged:
                for key, decision in zip(keys, decisions, strict=True):
                    if decision.allowed:
                        self._remember(key, decision.kept)
        return Answer(verdict.admitted, verdict.limits, claim=None, store=self.name)

    def settle(self, settlement: Settlement) -> bool:
        """Make corrections; claims are settled by `MemoryClaims`."""
        now = self._clock.wall_us()
        with self._lock:
            for charge in settlement.corrections:
                key = _key(charge.subject or settlement.subject, charge)
                state = charge.rule.corrected(self._states.get(key), now, charge.cost, charge.known)
                self._remember(key, state)
        return True

    def probe(self, patience_s: float | None = None) -> None:
        """Memory always answers."""

    def close(self) -> None:
        """Nothing to let go of."""

    def _remember(self, key: _Key, state: State) -> None:
        self._states[key] = state
        self._states.move_to_end(key)
        if len(self._states) > self._capacity:
            self._states.popitem(last=False)


def _key(subject: str, charge: Charge) -> _Key:
    # A limit that changes its algorithm starts anew: one kind's state says nothing to another.
    return subject, charge.key, charge.rule.kind

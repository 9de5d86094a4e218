"""The store that is always there: this environment's own memory.

It is the end of the failover chain, and the whole store of a single process (`TIDEGATE_STORE=memory`).

It keeps a bounded number of limits' states. **A state that still counts is never dropped for a newcomer's.** Otherwise
a client that can make up names, such as addresses, could have a victim's spent limits dropped. While all kept states
still count, newcomers share one state for each limit: all of them together are admitted as much as one would be alone.
"""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock

from tidegate.clock import Clock
from tidegate.decision import SLOTS, Quickly, State
from tidegate.messages import Answer, Charge, Question, Settlement, Verdict

_Key = tuple[str, str, str]
# So many kept states are looked at for each newcomer, in turn. One that doesn't count any more makes room.
_LOOKED_AT = 16
# A quota has one for each period.
_MOST_SHARED = 1000


# A state, and until when it counts; epoch microseconds. A named tuple would take a tenth of a decision to make.
_Kept = tuple[State, int]


class MemoryStore:
    """Decides in this process, by the pure rules.

    Args:
        clock: where the time comes from.
        capacity: how many limits' states are kept; beyond it newcomers share.
    """

    name = "memory"

    def __init__(self, clock: Clock, capacity: int = 10_000) -> None:
        self._now_us = clock.wall_us
        self._capacity = capacity
        self._states: OrderedDict[_Key, _Kept] = OrderedDict()
        # By the limits' numbers, which newcomers can't make up: so there are as many as limits.
        self._shared: OrderedDict[_Key, State] = OrderedDict()
        self._lock = Lock()

    def admit(self, question: Question) -> Answer:
        """Decide by the pure rules; claims are the affair of `MemoryClaims`."""
        if len(question.charges) == 1 and not question.peek and (answer := self._admit_known(question)) is not None:
            return answer
        now = self._now_us()
        with self._lock:
            places = [self._place(question.subject_of(charge), charge, now) for charge in question.charges]
            decisions, after = [], dict[_Key, State]()
            for place, charge in zip(places, question.charges, strict=True):
                # Two of the question's limits may share a state: the second is decided after the first's charge.
                decision = charge.decide(after.get(place) or self._state(place), now)
                if decision.allowed:
                    after[place] = decision.kept
                decisions.append(decision)
            verdict = Verdict.of(question, tuple(decisions))
            if verdict.charged:
                for place, charge, decision in zip(places, question.charges, decisions, strict=True):
                    if decision.allowed:
                        self._remember(place, charge, decision.kept, now)
        return Answer(verdict.admitted, verdict.limits, claim=None, store=self.name)

    def _admit_known(self, question: Question) -> Answer | None:
        """Decide the common question in a quarter of the time: one charge of a limit whose state is kept.

        Return None if it isn't that question. `admit` gives the same answer to all.
        """
        [(key, rule, cost, debt_us, subject, shadow, counts, holder)] = question.charges
        quickly: Quickly | None = getattr(rule, "decide_quickly", None)
        if quickly is None or holder:
            return None
        place = subject or question.subject, key, rule.kind
        states = self._states
        with self._lock:
            kept = states.get(place)
            if kept is None or (counts and counts != kept[0]):  # what was carried may be this very state
                return None
            limit, state, until_us = quickly(kept[0], self._now_us(), cost, debt_us)
            if limit.allowed:
                states[place] = state, until_us
        return Answer(limit.allowed or shadow, (limit,), None, self.name)

    def settle(self, settlement: Settlement) -> bool:
        """Make the corrections; claims are settled by `MemoryClaims`."""
        now = self._now_us()
        with self._lock:
            for charge in settlement.corrections:
                place = self._place(charge.subject or settlement.subject, charge, now)
                # Units aren't given back to a shared state: that would give other newcomers more than their due.
                if place[0] or charge.cost >= 0 or charge.rule.kind == SLOTS:
                    state = charge.rule.corrected(self._state(place), now, charge.cost, charge.known)
                    self._remember(place, charge, state, now)
        return True

    def probe(self, patience_s: float | None = None) -> None:
        """Memory always answers."""

    def close(self) -> None:
        """Do nothing: there are no connections."""

    def _place(self, subject: str, charge: Charge, now_us: int) -> _Key:
        """Return where a limit's state is kept: at a key of its own while there is room, else at a shared one."""
        # The kind is part of the key: a limit that changes its algorithm starts anew, since kinds don't share a format.
        own = subject, charge.key, charge.rule.kind
        if own in self._states or charge.subject:  # routes' own limits are few: clients can't make up routes
            return own
        shared = "", f"{charge.rule.numbers}", charge.rule.kind
        if charge.holder and any(held[0] == charge.holder for held in self._shared.get(shared, ())):
            return shared
        return own if self._has_room(now_us) else shared

    def _has_room(self, now_us: int) -> bool:
        """Make room for a newcomer if a state doesn't count any more; return whether there is room."""
        if len(self._states) < self._capacity:
            return True
        for _ in range(min(_LOOKED_AT, len(self._states))):
            place, kept = self._states.popitem(last=False)
            if kept[1] <= now_us:
                return True
            self._states[place] = kept
        return False

    def _state(self, place: _Key) -> State | None:
        if not place[0]:
            return self._shared.get(place)
        kept = self._states.get(place)
        return None if kept is None else kept[0]

    def _remember(self, place: _Key, charge: Charge, state: State, now_us: int) -> None:
        if place[0]:
            self._states[place] = state, now_us + charge.rule.kept_for_us(state, now_us)
            return
        self._shared[place] = state
        self._shared.move_to_end(place)
        if len(self._shared) > _MOST_SHARED:
            self._shared.popitem(last=False)

"""Explores every state that a model can reach, breadth first, and says what doesn't hold, by the shortest way to it.

As TLC does it (Yu, Manolios and Lamport, "Model Checking TLA+ Specifications", CHARME 1999): each state is kept once,
with the state that it was first reached from, so that the way to a fault is a shortest one. TLC reads a specification;
here a model's steps call the library's own code.
"""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import Generic, NamedTuple, Protocol, TypeVar

S = TypeVar("S", bound=Hashable)


class Invariant(NamedTuple, Generic[S]):
    """What has to hold at each step.

    Attributes:
        says: one sentence.
        holds: given the state before (None at the beginning) and after a step.
    """

    says: str
    holds: Callable[[S | None, S], bool]


class Model(Protocol[S]):
    """What can happen.

    Attributes:
        name: what is modelled.
        bounds: how far, in words.
        invariants: what has to hold.
    """

    name: str
    bounds: str
    invariants: Sequence[Invariant[S]]

    def begins(self) -> Iterable[S]:
        """Return the states in which it may begin."""

    def steps(self, state: S) -> Iterable[tuple[str, S]]:
        """Return everything that may happen next, each with its words."""

    def at_rest(self, state: S) -> bool:
        """Whether everything that was begun has come to a good end: nothing more need happen."""


class Violation(NamedTuple, Generic[S]):
    """What doesn't hold.

    Attributes:
        says: the invariant, or what else is wrong.
        trace: how the model gets there, in as few steps as possible: each step's words and the state after it.
    """

    says: str
    trace: Sequence[tuple[str, S]]

    def __str__(self) -> str:
        lines = [f"Doesn't hold: {self.says}"]
        lines += [f"{at:3}. {label}" for at, (label, _) in enumerate(self.trace)]
        return "\n".join(lines)


class Checked(NamedTuple, Generic[S]):
    """What was explored.

    Attributes:
        states, transitions: how many there are.
        depth: the steps of the longest of the shortest ways.
        seconds: the processor time that it took.
        violation: the first thing that doesn't hold; None if all holds.
    """

    states: int
    transitions: int
    depth: int
    seconds: float
    violation: Violation[S] | None


class TooManyStatesError(Exception):
    """The model has more states than were allowed: its bounds are too wide."""


def check(model: Model[S], most_states: int = 2_000_000) -> Checked[S]:
    """Explore a model wholly, or up to the first thing that doesn't hold.

    Beside its invariants two things have to hold of any model: it stands still only at rest, and from every state it
    can come to rest.

    Raises:
        TooManyStatesError: there are more states than `most_states`.
    """
    began = time.process_time()
    exploration = _Exploration(model, most_states)
    violation = exploration.explored() or exploration.stuck()
    seconds = time.process_time() - began
    return Checked(len(exploration.states), len(exploration.edges_to), exploration.depths[-1] + 1, seconds, violation)


class _Exploration(Generic[S]):
    def __init__(self, model: Model[S], most_states: int) -> None:
        self._model = model
        self._most_states = most_states
        self.states: list[S] = []
        self._ids: dict[S, int] = {}
        self._parents, self.depths = array("q"), array("q")
        self._labels: list[str] = []
        self.edges_from, self.edges_to = array("q"), array("q")
        self._resting: list[int] = []

    def explored(self) -> Violation[S] | None:
        for state in self._model.begins():
            self._id(state, -1, "begin")
            if broken := self._broken(None, state):
                return Violation(broken, [("begin", state)])
        at = 0
        while at < len(self.states):
            if violation := self._expanded(at):
                return violation
            at += 1
        return None

    def stuck(self) -> Violation[S] | None:
        """Return the nearest state from which the model can't come to rest, if there is one."""
        before: list[list[int]] = [[] for _ in self.states]
        for source, target in zip(self.edges_from, self.edges_to, strict=True):
            before[target].append(source)
        comes_to_rest = bytearray(len(self.states))
        due = list(self._resting)
        for at in due:
            comes_to_rest[at] = 1
        while due:
            for source in before[due.pop()]:
                if not comes_to_rest[source]:
                    comes_to_rest[source] = 1
                    due.append(source)
        first = comes_to_rest.find(0)
        return None if first < 0 else Violation("From every state a good end can be reached.", self._trace(first))

    def _expanded(self, at: int) -> Violation[S] | None:
        state, moved = self.states[at], False
        rests = self._model.at_rest(state)
        if rests:
            self._resting.append(at)
        for label, after in self._model.steps(state):
            moved = True
            target = self._id(after, at, label)
            self.edges_from.append(at)
            self.edges_to.append(target)
            if broken := self._broken(state, after):
                return Violation(broken, [*self._trace(at), (label, after)])
        if not moved and not rests:
            return Violation("Nothing stands still before its end.", self._trace(at))
        return None

    def _id(self, state: S, parent: int, label: str) -> int:
        known = self._ids.get(state)
        if known is not None:
            return known
        if len(self.states) >= self._most_states:
            raise TooManyStatesError(f"{self._model.name} has more than {self._most_states} states")
        at = self._ids[state] = len(self.states)
        self.states.append(state)
        self._parents.append(parent)
        self.depths.append(0 if parent < 0 else self.depths[parent] + 1)
        self._labels.append(label)
        return at

    def _broken(self, before: S | None, after: S) -> str | None:
        return next((one.says for one in self._model.invariants if not one.holds(before, after)), None)

    def _trace(self, at: int) -> list[tuple[str, S]]:
        return list(self._way(at))[::-1]

    def _way(self, at: int) -> Iterator[tuple[str, S]]:
        while at >= 0:
            yield self._labels[at], self.states[at]
            at = self._parents[at]

"""Whether what was seen of a system is something that its model does: trace checking.

As Cirstea, Kuppe, Loillier and Merz do it ("Validating Traces of Distributed Programs Against TLA+ Specifications",
SEFM 2024): a log shows a part of each state, and only some of the steps. It is a trace of the model if some way through
the model shows the same, one after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import TypeVar

from tests.model.checker import Model, S

Seen = TypeVar("Seen", bound=Hashable)


def explained(model: Model[S], seen: Sequence[Hashable], shows: Callable[[S], Hashable]) -> int:
    """Return how much of what was seen, from its beginning, some way through the model shows.

    Args:
        model: what can happen.
        seen: the sightings, in order, as `distinct` gives them.
        shows: what a state shows. It may show the same for many steps.
    """
    reached: Iterable[S] = model.begins()
    for at, sighting in enumerate(seen):
        reached = _showing(model, reached, sighting, shows)
        if not reached:
            return at
        reached = {after for state in reached for _, after in model.steps(state)}
    return len(seen)


def distinct(seen: Sequence[Seen]) -> list[Seen]:
    """Return the sightings without repetitions: the same one twice running is one."""
    return [one for at, one in enumerate(seen) if not at or one != seen[at - 1]]


def _showing(model: Model[S], reached: Iterable[S], sighting: Hashable, shows: Callable[[S], Hashable]) -> set[S]:
    """Return the states that show it: those that are reached, and where steps lead that go on showing it."""
    due = [state for state in reached if shows(state) == sighting]
    found = set(due)
    while due:
        for _, after in model.steps(due.pop()):
            if after not in found and shows(after) == sighting:
                found.add(after)
                due.append(after)
    return found

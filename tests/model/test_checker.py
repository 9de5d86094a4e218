"""The checker finds what is wrong, by the shortest way; the models here are small enough to see that."""

import pytest

from tests.model.checker import Invariant, TooManyStatesError, check


class Counter:
    """Counts by one or by three up to ten, and rests there."""

    name, bounds = "a counter", "up to 10"

    def __init__(self, *invariants, ends=(10,), by=(1, 3)):
        self.invariants, self._ends, self._by = invariants, ends, by

    def begins(self):
        return [0]

    def steps(self, state):
        return [(f"by {step}", state + step) for step in self._by if state + step <= 10]

    def at_rest(self, state):
        return state in self._ends


def test_everything_is_counted_once():
    found = check(Counter())
    assert (found.states, found.transitions, found.depth, found.violation) == (11, 18, 5, None)


def test_a_fault_is_found_by_the_shortest_way():
    found = check(Counter(Invariant("It is never six.", lambda before, after: after != 6)))
    assert found.violation.says == "It is never six."
    assert found.violation.trace == [("begin", 0), ("by 3", 3), ("by 3", 6)]


def test_an_invariant_of_steps_sees_both_sides():
    found = check(
        Counter(Invariant("It never goes by three.", lambda before, after: before is None or after < before + 3))
    )
    assert [label for label, _ in found.violation.trace] == ["begin", "by 3"]


def test_a_beginning_is_judged_too():
    found = check(Counter(Invariant("It begins elsewhere.", lambda before, after: after != 0)))
    assert found.violation.trace == [("begin", 0)]


def test_standing_still_before_the_end_is_found():
    found = check(Counter(by=(3,)))
    assert found.violation.says == "Nothing stands still before its end."
    assert [state for _, state in found.violation.trace] == [0, 3, 6, 9]


class Ring(Counter):
    """Goes on for ever from five on, without an end."""

    def steps(self, state):
        return [("on", 5 + (state - 4) % 3)] if state >= 5 else [("by 1", state + 1), ("to the end", 10)]

    def at_rest(self, state):
        return state == 10 or False


def test_going_on_for_ever_is_found():
    class Endless(Ring):
        def steps(self, state):
            return [] if state == 10 else super().steps(state)

    found = check(Endless())
    assert found.violation.says == "From every state a good end can be reached."
    assert found.violation.trace[-1] == ("by 1", 5)


def test_more_states_than_allowed_are_an_error():
    with pytest.raises(TooManyStatesError, match="more than 5"):
        check(Counter(), most_states=5)

"""One batch's messages: each principal's in order, all principals in turn, and nobody waits for another one's time."""

from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.client.simulated_network import SimulatedLoop, SimulatedTime
from tidegate.overflow.turns import Line, take_in_turn

PATIENCE_US = 2_000_000


class Played:
    """One batch, played in no time: each message waits so long before it is done, and then takes so long."""

    def __init__(self, lines, *, waits_us=(), takes_s=0.0, late_at_s=float("inf"), fails=()):
        self.time, self.taken = SimulatedTime(), []
        self.lines = {name: Line() for name in lines}
        for name, count in lines.items():
            self.lines[name].messages.extend((name, number) for number in range(count))
        waits = {message: list(each) for message, each in dict(waits_us).items()}
        began_s = self.time.now_s

        async def attempt(message):
            if message in fails:
                raise ValueError(message)
            if waits.get(message):
                return waits[message].pop(0)
            self.taken.append((message, self.time.now_s - began_s))
            self.time.advance(takes_s)
            return None

        loop = SimulatedLoop(self.time)
        late = lambda: self.time.now_s - began_s > late_at_s  # noqa: E731  one expression
        loop.run_until_complete(take_in_turn(self.lines.values(), attempt, PATIENCE_US, late))
        loop.close()
        self.took_s = self.time.now_s - began_s

    @property
    def order(self):
        return [message for message, _ in self.taken]


def test_all_principals_have_their_turn():
    played = Played({"alice": 3, "bob": 2})
    assert played.order == [("alice", 0), ("bob", 0), ("alice", 1), ("bob", 1), ("alice", 2)]


def test_nobody_waits_for_another_one_s_time():
    played = Played({"alice": 2, "bob": 2}, waits_us={("alice", 0): [1_500_000], ("alice", 1): [1_000_000]})
    assert played.taken == [
        (("bob", 0), 0.0),
        (("bob", 1), 0.0),
        (("alice", 0), pytest.approx(1.5)),
        (("alice", 1), pytest.approx(2.5)),
    ]


def test_what_has_to_wait_for_long_goes_back_with_all_behind_it():
    played = Played({"alice": 3, "bob": 1}, waits_us={("alice", 1): [1_500_000, 1_000_000]})
    assert played.order == [("alice", 0), ("bob", 0)]
    assert list(played.lines["alice"].messages) == [("alice", 1), ("alice", 2)]
    assert played.lines["alice"].absence_us == 1_000_000


def test_what_raises_goes_back_and_is_nobody_else_s():
    played = Played({"alice": 2, "bob": 2}, fails={("alice", 0)})
    assert played.order == [("bob", 0), ("bob", 1)]
    assert isinstance(played.lines["alice"].fault, ValueError)
    assert list(played.lines["alice"].messages) == [("alice", 0), ("alice", 1)]


def test_nothing_is_begun_when_it_is_late():
    played = Played({"alice": 3, "bob": 3}, takes_s=1.0, late_at_s=1.5)
    assert played.order == [("alice", 0), ("bob", 0)]
    assert [line.absence_us for line in played.lines.values()] == [0, 0]


@given(
    st.dictionaries(st.sampled_from("abcd"), st.integers(1, 5), min_size=1),
    st.dictionaries(
        st.tuples(st.sampled_from("abcd"), st.integers(0, 4)), st.lists(st.integers(0, 900_000), max_size=4), max_size=8
    ),
)
def test_each_line_is_taken_in_order_within_its_own_waiting_time(lines, waits):
    played = Played(lines, waits_us=waits)
    by_line = defaultdict(list)
    for (name, number), at_s in played.taken:
        by_line[name].append(number)
        own_us = sum(sum(waits.get((name, before), [])) for before in range(number + 1))
        assert at_s <= own_us / 1_000_000 + 1e-6
    for name, count in lines.items():
        left = [number for _, number in played.lines[name].messages]
        assert by_line[name] + left == list(range(count))
        assert bool(left) == (played.lines[name].absence_us is not None)

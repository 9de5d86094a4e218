"""The bound over all callers: asked seldom, kept closely by one environment, and open where it can't be known."""

from tidegate import StoreUnavailableError
from tidegate.overflow.room import REMEMBERS_FULL_S, REMEMBERS_S, QueueRoom
from tidegate.testing import FakeClock


class Depth:
    """How many messages there are; fails when told to."""

    def __init__(self, depth=0):
        self.depth, self.asked, self.fails = depth, 0, False

    def __call__(self):
        self.asked += 1
        if self.fails:
            raise StoreUnavailableError("sqs", "timeout")
        return self.depth


def accept(room, depth, wanted):
    """Accept as many as there is room for; SQS counts them at once."""
    accepted = 0
    for _ in range(wanted):
        if room.is_there():
            room.take()
            depth.depth += 1
            accepted += 1
    return accepted


def test_one_environment_keeps_the_bound_exactly():
    depth, clock = Depth(950), FakeClock()
    room = QueueRoom(depth, clock, 1000)
    assert accept(room, depth, 500) == 50


def test_sqs_is_asked_now_and_then_while_there_is_room():
    depth, clock = Depth(), FakeClock()
    room = QueueRoom(depth, clock, 10_000)
    assert accept(room, depth, 500) == 500
    assert depth.asked == 1
    clock.advance(REMEMBERS_S)
    assert room.is_there()
    assert depth.asked == 2


def test_a_full_queue_is_asked_again_after_a_moment():
    depth, clock = Depth(100), FakeClock()
    room = QueueRoom(depth, clock, 100)
    assert [room.is_there() for _ in range(50)] == [False] * 50
    assert depth.asked == 1
    depth.depth = 99
    clock.advance(REMEMBERS_FULL_S)
    assert room.is_there()


def test_what_others_have_queued_counts():
    depth, clock = Depth(), FakeClock()
    here, there = QueueRoom(depth, clock, 100), QueueRoom(depth, clock, 100)
    accepted = sum(accept(each, depth, 1) for _ in range(200) for each in (here, there))
    assert 100 <= accepted <= 100 + 10


def test_a_length_that_can_t_be_known_bounds_nothing():
    depth, clock = Depth(1000), FakeClock()
    depth.fails = True
    room = QueueRoom(depth, clock, 10)
    assert room.is_there()

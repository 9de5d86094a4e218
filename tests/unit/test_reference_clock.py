"""The clock in common: bounds from the `Date` of answers close in on the difference."""

from datetime import UTC, datetime
from email.utils import format_datetime

from hypothesis import given
from hypothesis import strategies as st

from tidegate.stores.dynamodb.clock import ReferenceClock
from tidegate.testing import FakeClock


def answer(server_us: int) -> dict:
    date = format_datetime(datetime.fromtimestamp(server_us // 1_000_000, UTC), usegmt=True)
    return {"ResponseMetadata": {"HTTPHeaders": {"date": date}}}


def exchange(reference: ReferenceClock, clock: FakeClock, skew_us: int, there_s: float, back_s: float) -> None:
    sent_us = reference.sent_us()
    clock.advance(there_s)
    made = answer(clock.wall_us() - skew_us)
    clock.advance(back_s)
    reference.heard(made, sent_us)


ways = st.tuples(st.floats(0, 0.2), st.floats(0, 0.2), st.floats(0, 3))


@given(st.integers(-5_000_000, 5_000_000), st.lists(ways, min_size=1, max_size=20))
def test_it_is_never_further_off_than_half_the_second_that_a_date_tells(skew_us, told):
    clock = FakeClock()
    reference = ReferenceClock(clock)
    for there_s, back_s, pause_s in told:
        exchange(reference, clock, skew_us, there_s, back_s)
        clock.advance(pause_s)
        assert abs(reference.offset_us + skew_us) <= 700_000


def test_it_closes_in_with_every_answer():
    clock = FakeClock()
    reference = ReferenceClock(clock)
    for _ in range(200):
        exchange(reference, clock, 3_210_000, 0.002, 0.002)
        clock.advance(0.137)
    assert abs(reference.offset_us + 3_210_000) <= 20_000


def test_it_never_goes_back():
    clock = FakeClock()
    reference, latest = ReferenceClock(clock), 0
    for _ in range(50):
        exchange(reference, clock, -2_000_000, 0.01, 0.03)
        clock.advance(0.09)
        now = reference.wall_us()
        assert now >= latest
        latest = now


def test_a_first_answer_puts_a_clock_back_that_was_read_before():
    clock = FakeClock()
    reference = ReferenceClock(clock)
    assert reference.wall_us() == clock.wall_us()
    exchange(reference, clock, 180_000_000, 0.001, 0.001)
    assert abs(reference.wall_us() - (clock.wall_us() - 180_000_000)) <= 1_000_000


def test_a_clock_that_was_set_is_learnt_anew():
    clock = FakeClock()
    reference = ReferenceClock(clock)
    for skew_us in (0, 60_000_000):
        for _ in range(20):
            exchange(reference, clock, skew_us, 0.001, 0.001)
            clock.advance(0.31)
        assert abs(reference.offset_us + skew_us) <= 200_000


def test_without_a_date_it_is_the_clock_itself():
    clock = FakeClock()
    reference = ReferenceClock(clock)
    reference.heard({}, reference.sent_us())
    reference.heard(None, reference.sent_us())
    assert not reference.known
    assert reference.wall_us() == clock.wall_us()

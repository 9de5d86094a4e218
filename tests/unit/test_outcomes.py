"""What an environment counts, and how long it keeps what no store has answered for."""

import threading

import pytest

from tidegate.algorithms.histogram import bin_of
from tidegate.outcomes.overdue import MARGIN_S, Overdue
from tidegate.outcomes.tally import AGAIN_AFTER_S, BATCH_EVERY_S, Source, Tally
from tidegate.testing import FakeClock

SOURCE = Source("default", "api", "7")


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def tally(clock):
    return Tally(SOURCE, clock)


def latency(milliseconds: int) -> str:
    number, digits = bin_of(milliseconds * 1000), ""
    while number:
        number, digit = divmod(number, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + digits
    return digits


def test_the_first_request_is_set_apart(tally):
    tally.ended(200, 0.5)
    tally.ended(200, 0.01)
    tally.ended(404, 0.01)
    assert tally.due().fields == {"cr": 1, f"cl{latency(500)}": 1, "wr": 2, f"wl{latency(10)}": 2}


def test_errors_and_what_has_no_answer_have_no_latency(tally):
    for status in (500, 503, 599, None):
        tally.ended(status, 1.0)
    tally.timed_out()
    assert tally.due().fields == {"cr": 1, "ce": 1, "wr": 4, "we": 2, "wt": 1}


def test_nothing_to_send_is_no_batch(tally, clock):
    assert tally.due() is None
    tally.ended(200, 0.01)
    tally.heard(tally.due())
    clock.advance(10)
    assert tally.due() is None


def test_a_batch_a_second(tally, clock):
    tally.ended(200, 0.01)
    tally.heard(tally.due())
    tally.ended(200, 0.01)
    assert tally.due() is None
    clock.advance(BATCH_EVERY_S)
    assert tally.due().fields["wr"] == 1


def test_what_nobody_has_answered_is_sent_again_as_it_was_and_what_came_since_later(tally, clock):
    tally.ended(200, 0.01)
    lost = tally.due()
    tally.ended(200, 0.01)
    clock.advance(BATCH_EVERY_S)
    assert tally.due() is lost
    clock.advance(BATCH_EVERY_S)
    assert tally.due() is None, "what fails isn't tried every second"
    clock.advance(AGAIN_AFTER_S)
    assert tally.due() is lost
    tally.heard(lost)
    clock.advance(AGAIN_AFTER_S)
    later = tally.due()
    assert (later.number, later.fields["wr"]) == (lost.number + 1, 1)


def test_what_one_store_may_have_counted_is_never_given_to_the_other(tally):
    tally.ended(200, 0.01)
    in_doubt = tally.due()
    tally.ended(200, 0.01)
    assert tally.first("dynamodb").number == in_doubt.number + 1
    tally.unheard(in_doubt)
    assert tally.first("dynamodb") is in_doubt, "nobody was there to count it"


def test_who_was_away_the_second_time_may_have_counted_the_first_time(tally):
    tally.ended(200, 0.01)
    in_doubt = tally.first("redis")
    assert tally.first("redis") is in_doubt
    tally.unheard(in_doubt)
    assert tally.first("dynamodb") is None


def test_a_batch_counts_to_the_minute_in_which_it_is_closed(tally, clock):
    tally.ended(200, 0.01)
    clock.advance(90)
    assert tally.due().minute == clock.wall_us() // 60_000_000


def test_what_waits_is_told_by_its_age(tally, clock):
    assert tally.waits_s == 0
    tally.ended(200, 0.01)
    clock.advance(7)
    tally.ended(200, 0.01)
    assert tally.waits_s == pytest.approx(7)
    tally.due()
    assert tally.waits_s == 0


def test_a_request_whose_time_is_over_is_told_once_and_not_counted_again():
    clock, told = FakeClock(), threading.Semaphore(0)
    overdue = Overdue(clock, told.release)
    overdue.began(10.0)
    assert not overdue.ended()
    overdue.began(10.0)
    clock.advance(10.0 - MARGIN_S)
    assert told.acquire(timeout=20)
    assert overdue.ended()
    overdue.close()
    assert not told.acquire(blocking=False)

"""What an environment counts, and how long it keeps what no store has answered for."""

import subprocess
import sys
import threading

import pytest

from tidegate.algorithms.histogram import bin_of
from tidegate.outcomes.counter import OutcomeCounter
from tidegate.outcomes.in_flight import InFlight
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


DYING = """
import os, sys
from pathlib import Path
from tidegate.outcomes.in_flight import InFlight
from tidegate.outcomes.tally import Source
mark = InFlight(Path(sys.argv[1]), Source("default", "api", "7"))
for _ in range(int(sys.argv[2])):
    mark.began()
    mark.ended()
if sys.argv[3] == "in the middle":
    mark.began()
os._exit(1)
"""


def die(folder, served=0, when="in the middle"):
    subprocess.run([sys.executable, "-c", DYING, str(folder), str(served), when], check=False)


def test_who_dies_in_the_middle_of_a_request_is_told_once_by_the_next(tmp_path):
    die(tmp_path, served=0)
    die(tmp_path, served=3)
    die(tmp_path, served=3, when="between two requests")
    living = InFlight(tmp_path, SOURCE)
    living.began()
    assert sorted(InFlight(tmp_path, SOURCE).died()) == ["cold", "warm"]
    assert InFlight(tmp_path, SOURCE).died() == []
    assert InFlight(tmp_path, SOURCE._replace(version="8")).died() == []


def test_who_ends_in_order_leaves_nothing(tmp_path):
    mark = InFlight(tmp_path, SOURCE)
    mark.began()
    mark.close()
    assert list(tmp_path.iterdir()) == []


class Context:
    """Lambda's, with ample time."""

    def get_remaining_time_in_millis(self):
        return 60_000


def test_a_crash_is_a_server_error_of_its_version(tmp_path, tally, clock):
    die(tmp_path, served=0)
    die(tmp_path, served=1)
    counter = OutcomeCounter(tally, clock, None, None, None, str(tmp_path))
    scope = {"aws.context": Context()}
    counter.began(scope)
    counter.ended(scope, 200, 0.01)
    counter.began(scope)
    assert tally.due().fields == {"cr": 2, "ce": 1, f"cl{latency(10)}": 1, "wr": 1, "we": 1}
    counter.close()
    assert list(tmp_path.iterdir()) == []


def test_without_a_place_to_write_the_rest_is_counted(tmp_path, tally, clock):
    counter = OutcomeCounter(tally, clock, None, None, None, str(tmp_path / "nowhere"))
    scope = {"aws.context": Context()}
    counter.began(scope)
    counter.ended(scope, 200, 0.01)
    assert tally.due().fields == {"cr": 1, f"cl{latency(10)}": 1}
    counter.close()

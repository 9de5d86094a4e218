"""What an environment counts, and how long it keeps what no store has answered for."""

import subprocess
import sys
import threading

import pytest

from tidegate.outcomes.counter import OutcomeCounter
from tidegate.outcomes.histogram import bin_of
from tidegate.outcomes.in_flight import InFlight
from tidegate.outcomes.overdue import MARGIN_S, Overdue
from tidegate.outcomes.replayable import is_replayed, target_of
from tidegate.outcomes.tally import AGAIN_AFTER_S, BATCH_EVERY_S, BATCHES_PER_S, Source, Tally
from tidegate.testing import FakeClock

SOURCE = Source("default", "api", "7")


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


def test_what_is_shed_or_limited_is_counted_apart(tally):
    tally.ended(200, 0.01)
    tally.ended(503, 0.001, "GET /a", refused=True)
    tally.ended(429, 0.001, "GET /a", refused=True)
    assert tally.due().fields == {"cr": 1, f"cl{latency(10)}": 1, "wd": 2}


def test_what_a_release_replays_is_counted_apart(tally):
    tally.ended(200, 0.01)
    tally.ended(200, 0.01, "GET /a", again=True)
    tally.ended(500, 0.01, "GET /a", again=True)
    assert tally.due().fields == {"cr": 1, f"cl{latency(10)}": 1, "pr": 2, "pe": 1, f"pl{latency(10)}": 1}


def test_requests_and_failures_are_counted_by_route_and_squared(tally):
    tally.ended(200, 0.01)
    for status, route in ((200, "GET /a"), (500, "GET /a"), (200, "GET /b"), (None, "GET /b")):
        tally.ended(status, 0.01, route)
    tally.timed_out("GET /b")
    fields = tally.due().fields
    assert {name: count for name, count in fields.items() if name[0] == "s"} == {
        "sr:GET /a": 2, "se:GET /a": 1, "sr:GET /b": 3, "se:GET /b": 1,
    }  # fmt: skip
    assert (fields["wq"], fields["wo"]) == (25, 4)


def test_the_squares_are_of_a_half_minute_whatever_the_batches_are(tally, clock):
    clock.advance(30 - clock.wall_us() / 1e6 % 30)
    tally.ended(200, 0.01)
    squares = failed = 0
    for number in range(20):
        tally.ended(500 if number % 4 == 0 else 200, 0.01, "GET /a")
        fields = tally.first("redis").fields
        squares, failed = squares + fields.get("wq", 0), failed + fields.get("wo", 0)
        tally.heard(tally.first("redis"))
        clock.advance(1)
    assert (squares, failed) == (20**2, 5**2)
    clock.advance(30)
    tally.ended(500, 0.01, "GET /a")
    later = tally.first("redis")
    assert (later.fields["wq"], later.fields["wo"]) == (1, 1)


def test_the_routes_of_an_environment_stay_few_and_their_names_short(tally):
    tally.ended(200, 0.01)
    for number in range(100):
        tally.ended(200, 0.01, f"GET /{number}")
    tally.ended(200, 0.01, "GET /" + "x" * 200)
    names = [name for name in tally.due().fields if name.startswith("sr:")]
    assert len(names) == 41
    assert max(map(len, names)) < 130


def test_a_target_is_recorded_once_a_minute(tally, clock):
    tally.ended(200, 0.01)
    for number in range(3):
        tally.may_be_replayed(f"/v1/products?page={number}")
    batch = tally.due()
    assert [name for name in batch.fields if name.startswith("g:")] == ["g:/v1/products?page=0"]
    tally.heard(batch)
    clock.advance(61)
    assert tally.wants_target
    tally.ended(200, 0.01)
    tally.may_be_replayed("/v1/products?page=7")
    assert "g:/v1/products?page=7" in tally.due().fields


def scope_of(path, query=b"", **context):
    return {"path": path, "query_string": query, "aws.event": {"requestContext": context}}


@pytest.mark.parametrize(
    ("path", "query", "target"),
    [
        ("/v1/products", b"", "/v1/products"),
        ("/v1/products", b"page=2&sort=price", "/v1/products?page=2&sort=price"),
        ("/v1/café", b"", "/v1/caf%C3%A9"),
        ("/v1/products", b"api_key=abc", None),
        ("/v1/products", b"page=1&X-Amz-Signature=abc", None),
        ("/v1/" + "x" * 300, b"", None),
    ],
)
def test_only_a_target_without_credentials_may_be_replayed(path, query, target):
    assert target_of(scope_of(path, query)) == target


def test_only_the_release_s_machine_replays():
    assert is_replayed(scope_of("/", tidegate="replay"))
    assert not is_replayed(scope_of("/", tidegate="release"))
    assert not is_replayed({"path": "/"})


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


def test_a_large_fleets_batches_are_rarer(clock):
    tally = Tally(Source("default", "api", "7"), clock, lambda: 10_000)
    batches = 0
    for _ in range(60):
        tally.ended(200, 0.1)
        if (batch := tally.due()) is not None:
            tally.heard(batch)
            batches += 1
        clock.advance(1)
    assert batches == 60 / (10_000 / BATCHES_PER_S)


def test_an_unanswered_report_is_resent_as_it_was_before_what_came_since(tally, clock):
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

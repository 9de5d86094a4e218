"""The fallback clock to the microsecond: when it is read, joined, bought and left, and what is refused meanwhile."""

from __future__ import annotations

import random
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from tidegate.background import Background
from tidegate.clock import SystemClock
from tidegate.errors import StoreUnavailableError
from tidegate.failover.fallback_clock import FallbackClock
from tidegate.limits.leaky_bucket import Drain
from tidegate.limits.sliding_window import Window
from tidegate.limits.token_bucket import Bucket
from tidegate.messages import Charge, Fleet
from tidegate.stores.dynamodb.clock import ReferenceClock
from tidegate.stores.dynamodb.fleet import FleetCounter, FleetTable
from tidegate.stores.fleet import FleetView
from tidegate.stores.redis.outage import OutageTimer

RUNS_ON = ["dynamodb"]
PK = "ladder#exact"
BUCKET = Charge("b", Bucket(100_000, 3))


class Postponed(Background):
    """Nothing that is begun in the background is done."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def submit(self, name: str, errand: Callable[[], object]) -> bool:
        self.names.append(name)
        return True


@pytest.fixture(autouse=True)
def _drawn(monkeypatch):
    monkeypatch.setattr(random, "random", lambda: 0.0)


@pytest.fixture
def made(place, clock):
    """Makes fallback clocks of environments of a fleet of so many, which have lost Redis now or only one question."""

    def make(environments: int = 1, *, lost: bool = True):
        away, view = OutageTimer(clock), FleetView(clock, Fleet(environments, 0))
        if lost:
            away.failed()
        table, background = FleetTable(place.dynamo_client(), place.table, "exact"), Postponed()
        counter = FleetCounter(table, clock, view)
        return SimpleNamespace(
            clock=FallbackClock(table, clock, away, view, counter, background), away=away, background=background
        )

    return make


@pytest.fixture
def item(dynamo, place):
    """Reads the clock's item, if there is one."""

    def read() -> dict[str, int]:
        found = [item for item in dynamo.items(place.table) if item["pk"]["S"] == PK]
        return {name: int(value["N"]) for name, value in found[0].items() if "N" in value} if found else {}

    return read


def shown(one) -> int:
    return one.clock.now_us(BUCKET)


def test_the_first_to_come_begins_it_at_nought_for_forty_days(made, clock, item):
    one, wall = made(), clock.wall_us()
    one.clock.ready()
    assert shown(one) == 0
    assert one.clock.now_us(Charge("w", Window(60_000, 9))) == wall
    expires = wall // 1_000_000 + 40 * 86_400
    assert item() == {"acc": 0, "at": wall, "began": wall, "seen": wall, "expires_at": expires}


@pytest.mark.parametrize(
    ("passed_s", "bought_us"), [(5.0, 0), (5.000001, 5_000_001), (15.0, 15_000_000), (15.000001, 0)]
)
def test_an_old_reading_is_renewed_and_a_silence_ends_the_stay(made, clock, passed_s, bought_us):
    one = made()
    one.clock.ready()
    clock.advance(passed_s)
    one.clock.ready()
    assert shown(one) == bought_us


@pytest.mark.parametrize(("passed_s", "begun_anew"), [(15.0, False), (15.000001, True)])
def test_a_fleet_that_was_silent_begins_a_stay_anew(made, clock, item, passed_s, begun_anew):
    made().clock.ready()
    began = clock.wall_us()
    clock.advance(passed_s)
    made().clock.ready()
    assert item()["began"] == (clock.wall_us() if begun_anew else began)


def test_another_outage_is_a_stay_of_its_own_and_one_question_is_none(made, clock):
    for lost in (True, False):
        one = made(lost=lost)
        one.clock.ready()
        before = shown(one)
        clock.advance(6)
        one.clock.ready()
        assert shown(one) == before + 6_000_000
        clock.advance(6)
        one.away.returned()
        one.away.failed()
        one.clock.ready()
        assert shown(one) == before + 6_000_000
        clock.advance(16)


def test_time_that_wasnt_bought_before_it_is_left_is_forfeited(made, clock):
    one = made()
    one.clock.ready()
    clock.advance(6)
    one.clock.left()
    assert one.clock.gained(BUCKET, 1) is False
    one.clock.ready()
    assert shown(one) == 0


@pytest.mark.parametrize(
    ("environments", "drawn", "due_s"),
    [(1, 0.0, 0.23), (1, 0.5, 0.23), (125, 0.0, 0.23), (500, 0.0, 0.98), (500, 0.5, 0.5)],
)
def test_it_is_bought_in_the_background_when_it_is_due(made, clock, monkeypatch, environments, drawn, due_s):
    monkeypatch.setattr(random, "random", lambda: drawn)
    one = made(environments)
    one.clock.ready()
    assert one.background.names == ["fleet"]
    clock.advance(due_s - 0.001)
    one.clock.ready()
    assert "fallback-clock" not in one.background.names
    clock.advance(0.001)
    one.clock.ready()
    assert one.background.names.count("fallback-clock") == 1


def test_each_environment_buys_its_share_and_no_more_than_has_passed(made, clock):
    one, other = made(2), made(2)
    for each in (one, other):
        each.clock.ready()
    clock.advance(4)
    assert one.clock.gained(BUCKET, 100_000)
    assert shown(one) == 2_000_000
    clock.advance(0.01)
    assert one.clock.gained(BUCKET, 1) is False
    wrong = [made() for _ in range(3)]
    for each in wrong:
        each.clock.ready()
    clock.advance(2)
    for each in wrong:
        each.clock.gained(BUCKET, 100_000)
    assert [shown(each) for each in wrong] == [4_000_000, 6_000_000, 6_000_000]


@pytest.mark.parametrize(
    ("passed_s", "charge", "retry_us", "gained"),
    [
        (0.1, BUCKET, 500_000, True),
        (0.099999, BUCKET, 500_000, False),
        (0.06, BUCKET, 60_000, True),
        (0.06, BUCKET, 60_001, False),
        (0.05, BUCKET, 50_000, True),
        (0.001, BUCKET, 1000, True),
        (0.000999, BUCKET, 1000, False),
        (9.0, BUCKET, -1, False),
        (9.0, Charge("w", Window(60_000, 9)), 1000, False),
        (0.1, Charge("d", Drain(100_000, 0)), 500_000, True),
    ],
)
def test_a_refused_request_buys_what_may_admit_it(made, clock, passed_s, charge, retry_us, gained):
    one = made()
    one.clock.ready()
    clock.advance(passed_s)
    assert one.clock.gained(charge, retry_us) is gained
    assert shown(one) == (round(passed_s * 1_000_000) if gained else 0)


def test_it_isnt_bought_at_every_moment(made, clock):
    one, quick = made(), Charge("b", Bucket(1000, 3))
    one.clock.ready()
    for passed, gained in ((0.005, True), (0.019, False), (0.001, True)):
        clock.advance(passed)
        assert one.clock.gained(quick, 1000) is gained


def test_time_that_is_bought_too_late_is_lost(made, clock, item):
    one = made(5)
    one.clock.ready()
    clock.advance(5)
    assert one.clock.gained(BUCKET, 100_000)
    assert (item()["acc"], item()["at"]) == (1_000_000, clock.wall_us() - 2_000_000)
    clock.advance(3)
    assert one.clock.gained(BUCKET, 100_000)
    assert (item()["acc"], item()["at"]) == (1_600_000, clock.wall_us() - 2_000_000)


def test_while_the_wall_clock_is_behind_nothing_is_bought(made, clock, item):
    one = made()
    one.clock.ready()
    clock._wall_us -= 2_000_000
    clock.advance(1)
    assert one.clock.gained(BUCKET, 100_000) is False
    assert (shown(one), item()["acc"]) == (0, 0)


def test_a_bucket_has_one_token_at_most_when_it_comes(made, clock):
    one = made()
    one.clock.ready()
    assert one.clock.placed(BUCKET, None).min_deficit_us == 200_000
    assert one.clock.placed(Charge("b", Bucket(100_000, 1)), None).min_deficit_us == 0
    clock.advance(0.15)
    assert one.clock.gained(BUCKET, 100_000)
    assert one.clock.placed(BUCKET._replace(min_deficit_us=9), (5,)).min_deficit_us == 50_000


def test_a_leaky_buckets_carried_debt_counts_where_none_is_kept(made):
    one, drain = made(), Charge("d", Drain(100_000, 0), min_deficit_us=70)
    one.clock.ready()
    assert one.clock.placed(drain, None) == drain
    assert one.clock.placed(drain, (5,)).min_deficit_us == 0


def test_an_item_that_was_deleted_is_begun_anew(made, clock, dynamo_client, place, item):
    one = made()
    one.clock.ready()
    dynamo_client.delete_item(TableName=place.table, Key={"pk": {"S": PK}})
    clock.advance(6)
    one.clock.ready()
    assert item() == {}
    one.clock.ready()
    assert item()["began"] == clock.wall_us()


def test_an_item_that_cant_be_read_is_no_time(made, clock, dynamo_client, place):
    one = made()
    now = {"N": str(clock.wall_us())}
    damaged = {"pk": {"S": PK}, "acc": {"S": "soon"}, "at": now, "seen": now, "began": now}
    dynamo_client.put_item(TableName=place.table, Item=damaged)
    with pytest.raises(StoreUnavailableError, match="no acc"):
        one.clock.ready()


def test_it_is_warmed_by_one_read_unless_its_clock_is_set(place, clock):
    reference = ReferenceClock(SystemClock())
    view, away = FleetView(reference, Fleet()), OutageTimer(reference)
    table = FleetTable(place.dynamo_client(listener=reference), place.table, "exact")
    counter = FleetCounter(table, reference, view)
    FallbackClock(table, reference, away, view, counter, Postponed()).warm()
    assert reference.known
    nowhere = FleetTable(table.client, "no-such-table", "exact")
    FallbackClock(nowhere, reference, away, view, counter, Postponed()).warm()
    FallbackClock(nowhere, clock, away, view, counter, Postponed()).warm()

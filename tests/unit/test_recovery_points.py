"""Recovery points as a handler writes them; that they outlast their attempt is the contract's (tests/contract)."""

import json

import pytest

from tidegate import Admission, ClaimLostError, ConfigurationError, StoreUnavailableError
from tidegate.idempotency.recovery import LARGEST_POINTS_BYTES, RecoveryPoints

pytestmark = pytest.mark.anyio


class Kept:
    """Where points are written: what was written last, or what goes wrong."""

    def __init__(self):
        self.points, self.own, self.fault = b"", True, None

    def __call__(self, points: bytes) -> bool:
        if self.fault:
            raise self.fault
        if self.own:
            self.points = points
        return self.own


@pytest.fixture
def kept():
    return Kept()


@pytest.fixture
def points(kept):
    async def wait(call):
        call()

    return lambda left=b"": RecoveryPoints(left, kept, wait)


async def test_points_are_kept_in_order_and_recovered_in_it(kept, points):
    first = points()
    assert first.recovered == {}
    await first.record("charge", {"id": "ch_1", "amount": 5})
    first.record_blocking("mail", None)
    await first.record("audit", [1, 2.5, "three", True])
    heir = points(kept.points)
    assert list(heir.recovered.items()) == [
        ("charge", {"id": "ch_1", "amount": 5}),
        ("mail", None),
        ("audit", [1, 2.5, "three", True]),
    ]


async def test_an_heir_adds_to_what_it_recovered(kept, points):
    points(b'{"one":1}').record_blocking("two", 2)
    assert points(kept.points).recovered == {"one": 1, "two": 2}


async def test_what_was_recovered_stays_as_it_was_found(points):
    heir = points(b'{"one":1}')
    heir.record_blocking("two", 2)
    assert heir.recovered == {"one": 1}
    with pytest.raises(TypeError):
        heir.recovered["three"] = 3


async def test_a_name_recorded_again_keeps_its_place_and_takes_the_new_value(kept, points):
    made = points()
    for name, value in (("page", 1), ("mail", "sent"), ("page", 2)):
        made.record_blocking(name, value)
    assert list(points(kept.points).recovered.items()) == [("page", 2), ("mail", "sent")]


@pytest.mark.parametrize("value", [object(), {1, 2}, b"bytes", float("nan")])
async def test_what_is_no_json_is_refused_and_nothing_is_kept(kept, points, value):
    with pytest.raises((TypeError, ValueError)):
        await points().record("step", value)
    assert kept.points == b""


@pytest.mark.parametrize("name", ["", "n" * 65])
async def test_a_name_has_1_to_64_characters(points, name):
    with pytest.raises(ValueError, match="1 to 64 characters"):
        points().record_blocking(name, None)


async def test_all_points_together_have_a_bound(kept, points):
    made, large = points(), "x" * (LARGEST_POINTS_BYTES // 2)
    made.record_blocking("one", large)
    with pytest.raises(ValueError, match="store what is large elsewhere"):
        made.record_blocking("two", large)
    assert list(json.loads(kept.points)) == ["one"]
    made.record_blocking("one", "small")
    made.record_blocking("two", large)


async def test_the_bound_itself_is_kept_and_read_and_a_byte_more_is_neither(kept, points):
    most = LARGEST_POINTS_BYTES - len('{"one":""}')
    points().record_blocking("one", "x" * most)
    assert len(kept.points) == LARGEST_POINTS_BYTES
    assert points(kept.points).recovered == {"one": "x" * most}
    with pytest.raises(ValueError, match="store what is large elsewhere"):
        points().record_blocking("one", "x" * (most + 1))
    with pytest.raises(ValueError, match="no recovery points"):
        points(kept.points.replace(b"x", b"xx", 1))


@pytest.mark.parametrize(("length", "kept_and_read"), [(1, True), (64, True), (0, False), (65, False)])
async def test_a_name_is_read_as_it_was_bounded(kept, points, length, kept_and_read):
    left = json.dumps({"n" * length: 1}).encode()
    if kept_and_read:
        assert points(left).recovered == {"n" * length: 1}
        points().record_blocking("n" * length, 1)
        assert json.loads(kept.points) == {"n" * length: 1}
    else:
        with pytest.raises(ValueError, match="no recovery points"):
            points(left)


@pytest.mark.parametrize("left", [b"[]", b"7", b'{"one":NaN}', b"{", b"\xff", b"[" * 90_000])
async def test_what_is_no_object_of_json_is_no_recovery_point(points, left):
    with pytest.raises(ValueError, match="no recovery points"):
        points(left)


async def test_a_lost_claim_keeps_none(kept, points):
    kept.own = False
    with pytest.raises(ClaimLostError):
        await points().record("step", 1)


async def test_a_point_that_could_not_be_written_is_not_taken_for_written(kept, points):
    made = points()
    kept.fault = StoreUnavailableError("dynamodb", "timeout")
    with pytest.raises(StoreUnavailableError):
        made.record_blocking("one", 1)
    kept.fault = None
    made.record_blocking("two", 2)
    assert json.loads(kept.points) == {"two": 2}


async def test_without_a_claim_there_is_nowhere_to_keep_a_point():
    admission = Admission("ip:192.0.2.1", "/products")
    assert admission.recovered == {}
    with pytest.raises(ConfigurationError, match="idempotent=True"):
        await admission.checkpoint("step", 1)
    with pytest.raises(ConfigurationError):
        admission.checkpoint_blocking("step", 1)

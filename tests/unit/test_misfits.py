"""Questions that no store can answer: as what fault they are told, and how often they are logged."""

from __future__ import annotations

import io
import json

import pytest

from tidegate.errors import StoreUnavailableError
from tidegate.failover.misfits import Misfits
from tidegate.telemetry import structured_logger
from tidegate.testing import FakeClock


@pytest.fixture
def log() -> io.StringIO:
    stream = io.StringIO()
    structured_logger().registered_handler.setStream(stream)
    return stream


def logged(log: io.StringIO) -> list[dict]:
    return [json.loads(line) for line in log.getvalue().splitlines()]


def test_a_call_that_answers_is_passed_on(clock: FakeClock) -> None:
    assert Misfits(clock).ask("redis", lambda: 7) == 7


@pytest.mark.parametrize(("kind", "lines"), [("timeout", 0), ("unreadable", 1), ("contended", 1)])
def test_a_stores_own_fault_is_told_as_it_is(clock, log, kind, lines):
    error = StoreUnavailableError("redis", kind, "x" * 300)
    assert Misfits(clock).told("redis", error) is error
    assert len(logged(log)) == lines
    for line in logged(log):
        assert (line["message"], line["store"], line["fault"]) == ("question not answered", "redis", kind)
        assert line["detail"] == str(error)[:200]
        assert "exception" not in line


def test_a_bug_is_unreadable_and_logged_with_its_trace(clock, log):
    def fails() -> None:
        raise KeyError("y" * 300)

    with pytest.raises(StoreUnavailableError, match="unreadable") as raised:
        Misfits(clock).ask("redis", fails)
    assert (raised.value.store, len(raised.value.detail)) == ("redis", 200)
    [line] = logged(log)
    assert (line["fault"], len(line["detail"])) == ("KeyError", 200)
    assert "KeyError" in line["exception"]


def test_each_kind_of_each_store_is_logged_once_a_minute(clock, log):
    misfits = Misfits(clock)
    for passed, lines in ((0, 3), (59.999, 3), (0.001, 6), (59.999, 6)):
        clock.advance(passed)
        misfits.told("redis", KeyError())
        misfits.told("dynamodb", KeyError())
        misfits.told("redis", ValueError())
        assert len(logged(log)) == lines


def test_beyond_a_hundred_kinds_none_is_logged(clock, log):
    misfits = Misfits(clock)
    for number in range(110):
        misfits.told(f"store-{number}", KeyError())
    assert len(logged(log)) == 101

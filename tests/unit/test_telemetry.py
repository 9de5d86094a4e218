"""The functions' lines in figures."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate_local.telemetry.backlog import Backlog
from tidegate_local.telemetry.figures import Figures, Percentiles, by_caller, by_second
from tidegate_local.telemetry.lines import RequestLine, StoreChange, parse
from tidegate_local.telemetry.window import Window

LIMITED = (
    '{"level":"INFO","location":"tidegate","message":"request","timestamp":"2026-11-25T02:14:05.083+00:00",'
    '"service":"worker","method":"POST","route":"/v1/exports","principal":"key:34","outcome":"limited",'
    '"reason":"https://iana.org/assignments/http-problem-types#quota-exceeded","store":"redis","admission_ms":0.681,'
    '"status":429,"duration_ms":18.477,"release":"1","request_id":"749afa31"}'
)
LOST = {
    "level": "WARNING",
    "message": "store changed",
    "timestamp": "2026-11-25T02:14:05.083+00:00",
    "service": "api",
    "store": "redis",
    "state": "failing",
    "fault": "refused",
}


def line(at_s=0.0, outcome="admitted", *, principal="key:1", service="api", **members):
    return RequestLine(at_s, service, "GET", "/v1/products", principal, outcome, **members)


def test_a_request_is_read_from_its_line():
    read = parse(LIMITED)
    assert isinstance(read, RequestLine)
    assert read.at_s == pytest.approx(1795572845.083)
    assert (read.service, read.method, read.route, read.principal) == ("worker", "POST", "/v1/exports", "key:34")
    assert (read.outcome, read.cause, read.status, read.store) == ("limited", "quota-exceeded", 429, "redis")
    assert (read.duration_ms, read.admission_ms, read.cache, read.failed) == (18.477, 0.681, None, False)


def test_a_lost_store_is_read_from_its_line_however_its_json_is_spaced():
    for separators in ((",", ":"), (", ", ": ")):
        read = parse(json.dumps(LOST, separators=separators))
        assert read == StoreChange(pytest.approx(1795572845.083), "api", "redis", "failing", "refused")


@pytest.mark.parametrize(
    "other",
    [
        "START RequestId: 39000978 Version: 1",
        '{"message":"request"}',
        '{"message":"request","timestamp":"yesterday"}',
        '["message":"request"',
        '{"message":"unhandled exception","timestamp":"2026-11-25T02:14:05+00:00"}',
    ],
)
def test_other_lines_are_nobodys(other):
    assert parse(other) is None


@given(st.lists(st.floats(0, 1e6), min_size=1))
def test_percentiles_are_values_that_were_measured_with_so_many_below_them(values):
    found = Percentiles.of(values)
    for share, value in ((0.50, found.p50_ms), (0.99, found.p99_ms)):
        assert value in values
        assert sum(one <= value for one in values) >= math.ceil(share * len(values))
        assert sum(one < value for one in values) < share * len(values)


def test_nothing_has_no_percentiles():
    assert Percentiles.of([]) == Percentiles(None, None)


def test_figures_count_each_word_of_the_lines():
    lines = [
        line(status=200, duration_ms=4, store="redis", admission_ms=1, cache="hit", release="1"),
        line(status=200, duration_ms=2, store="dynamodb", admission_ms=3, cache="hit", release="2"),
        line(outcome="limited", status=429, duration_ms=1, store="redis", admission_ms=2, cause="quota-exceeded"),
        line(outcome="shed", status=503, duration_ms=1, cause="demand"),
        line(outcome="failed", status=500, duration_ms=9),
    ]
    figures = Figures.of(lines)
    assert (figures.requests, figures.failed) == (5, 1)
    assert figures.outcomes == {"admitted": 2, "limited": 1, "shed": 1, "failed": 1}
    assert figures.statuses == {200: 2, 429: 1, 503: 1, 500: 1}
    assert figures.stores == {"redis": 2, "dynamodb": 1}
    assert figures.cache == {"hit": 2}
    assert figures.causes == {"quota-exceeded": 1, "demand": 1}
    assert figures.releases == {"1": 1, "2": 1}
    assert figures.duration == Percentiles(2, 9)
    assert figures.admission == Percentiles(2, 3)


def test_every_second_is_there_the_empty_ones_too():
    lines = [line(10.2), line(10.9, "limited"), line(12.0), line(13.0)]
    seconds = by_second(lines, 10, 12)
    assert [(second.at_s, second.outcomes) for second in seconds] == [
        (10, {"admitted": 1, "limited": 1}),
        (11, {}),
        (12, {"admitted": 1}),
    ]


def test_callers_come_by_how_much_they_ask_with_when_they_were_refused():
    lines = [line(1), line(2, "limited"), line(3, "queued"), line(4), line(1, principal="key:2")]
    first, second = by_caller(lines)
    assert (first.principal, first.requests, first.refused_at_s) == ("key:1", 4, 3)
    assert (second.principal, second.requests, second.refused_at_s) == ("key:2", 1, None)


def test_a_window_forgets_what_is_older_and_takes_what_comes_late():
    window = Window(60)
    window.add([line(100), line(159)])
    window.add([line(130)])
    assert sorted(one.at_s for one in window.lines(160)) == [130, 159]
    assert [one.at_s for one in window.lines(160, last_s=10)] == [159]
    window.add([line(161)])
    assert sorted(one.at_s for one in window.lines(195)) == [159, 161]


def test_the_oldest_of_the_queue_is_the_first_that_no_worker_has_run():
    backlog = Backlog()
    backlog.add([line(10, "queued"), line(11, "queued"), line(12, "queued", principal="key:2")])
    assert backlog.oldest_s(20, depth=3) == 10
    backlog.add([line(20, "limited", service="worker"), line(21, service="worker")])
    assert backlog.oldest_s(30, depth=2) == 19
    backlog.add([line(30, service="worker")])
    assert backlog.oldest_s(30, depth=1) == 18  # the other one's
    backlog.add([line(31, "failed", service="worker", principal="key:2")])
    assert backlog.oldest_s(40, depth=1) is None


def test_an_empty_queue_has_no_oldest_whatever_was_cancelled():
    backlog = Backlog()
    backlog.add([line(10, "queued")])
    assert backlog.oldest_s(20, depth=0) is None
    assert backlog.oldest_s(20, depth=1) is None

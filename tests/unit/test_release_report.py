"""The release's report: the JSON that the controller files, and the page that the command makes of it."""

import json
import re
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import pytest

from functions.rollout.judge import Counts, Plan, Spread, Step, TimeBucket, VersionCounts, judge
from functions.rollout.report import Release, as_json
from functions.rollout.report.minutes import by_minute
from tidegate.outcomes.histogram import Histogram, bin_of
from tidegate_local.releases.chart import Chart
from tidegate_local.releases.report import as_html

PLAN = Plan(steps=(Step(10, unproven="advance"), Step(50, least_s=60, most_s=600, unproven="hold")))
NOON_S = 1_800_000_000 // 86_400 * 86_400 + 43_200


def counts(requests, failed=0, latency_us=20_000):
    return Counts(requests, failed, 0, Histogram({bin_of(latency_us): requests - failed} if requests > failed else {}))


def buckets(step, canary, stable, length_s, start_s):
    versions = VersionCounts(stable), VersionCounts(canary, counts(1))
    percent = PLAN.steps[step].percent
    return tuple(TimeBucket(at, step, percent, *versions) for at in range(start_s, start_s + length_s, 10))


@pytest.fixture(scope="module")
def failing():
    seen = buckets(0, counts(3), counts(97, 1), 300, NOON_S)
    first = judge(PLAN, seen, 0, 300)
    # Five environments, which fail alike.
    seen += buckets(1, counts(50, 10)._replace(spread=Spread(500, 20)), counts(50, 1), 70, NOON_S + 300)
    return Release("shop <7>", "41", "42", (first, judge(PLAN, seen, 1, 70)), seen)


def page_of(release):
    return as_html(json.loads(as_json(release)))


class Page(HTMLParser):
    """What a page is made of."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.words, self.open = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.words.append(data)


def test_the_json_holds_the_verdicts_with_their_numbers(failing):
    document = json.loads(as_json(failing))
    assert document["outcome"] == "fail"
    assert [verdict["outcome"] for verdict in document["verdicts"]] == ["inconclusive", "fail"]
    assert document["verdicts"][0]["then"] == "advance"
    errors = document["verdicts"][1]["findings"][0]
    assert errors["failed"]
    assert errors["against"] >= errors["against_at"] == pytest.approx(400)
    canary = errors["canary"]
    assert canary["estimate"] == pytest.approx(70 / 440)
    assert 0 < canary["low"] < canary["estimate"] < canary["high"] < 1
    assert document["canary_cold"] == {"requests": 37, "failed": 0}


def test_an_incident_that_it_began_in_is_told(failing):
    told = failing._replace(into_incident="orders <are> lost")
    assert json.loads(as_json(told))["into_incident"] == "orders <are> lost"
    assert "Into an incident: orders &lt;are&gt; lost." in page_of(told)
    assert json.loads(as_json(failing))["into_incident"] is None
    assert "incident" not in page_of(failing)


def test_the_minutes_add_up_to_what_was_counted(failing):
    minutes = json.loads(as_json(failing))["minutes"]
    assert [minute["start_s"] for minute in minutes] == [NOON_S + 60 * n for n in range(7)]
    assert [minute["percent"] for minute in minutes] == [10] * 5 + [50] * 2
    last = failing.verdicts[-1]
    for version in ("canary", "stable"):
        assert sum(minute[version]["requests"] for minute in minutes) == getattr(last, version).requests
        assert sum(minute[version]["server_errors"] for minute in minutes) == getattr(last, version).server_errors
    assert minutes[-1]["canary"]["failed_share"] == pytest.approx(0.2)


def test_what_is_unknown_is_null_and_never_infinite():
    nothing = Release("r", "1", "2", (judge(PLAN, [], 1, 600),), (TimeBucket(NOON_S, 1, 50, *[VersionCounts()] * 2),))
    document = json.loads(as_json(nothing), parse_constant=pytest.fail)
    assert document["verdicts"][0]["findings"][1]["canary"] is None
    assert document["minutes"][0]["canary"] == {
        "requests": 0, "server_errors": 0, "timeouts": 0, "failed_share": None, "p95_us": None,
    }  # fmt: skip
    few = judge(PLAN, buckets(1, counts(3), counts(3), 20, NOON_S), 1, 600)
    found = json.loads(as_json(Release("r", "1", "2", (few,), ())), parse_constant=pytest.fail)
    assert found["verdicts"][0]["findings"][2]["canary"]["high"] is None


def test_the_page_says_what_the_judge_said(failing):
    page = Page(page_of(failing))
    words = " ".join(page.words)
    assert page.open == []
    for reason in failing.verdicts[-1].reasons:
        assert reason in words
    assert "Step 2: fail after 70 s" in words
    assert "The plan says: advance." in words
    assert "37 first requests" in words


def test_the_page_needs_nothing_from_elsewhere_and_runs_nothing(failing):
    text = page_of(failing)
    page = Page(text)
    assert not {"script", "link", "img", "iframe"} & {tag for tag, _ in page.tags}
    assert not [attrs for _, attrs in page.tags if {"src", "href"} & set(attrs)]
    assert "url(" not in text
    assert "@import" not in text


def test_names_are_escaped(failing):
    assert "shop &lt;7&gt;" in page_of(failing)
    assert "<7>" not in page_of(failing)


def test_a_reason_with_a_script_in_it_is_escaped(failing):
    reason = "<script>alert('&')</script>"
    said = failing._replace(verdicts=(failing.verdicts[0]._replace(reasons=(reason,)),))
    page = Page(page_of(said))
    assert "script" not in {tag for tag, _ in page.tags}
    assert reason in page.words


def test_a_quantile_above_all_bins_has_an_open_interval():
    few = judge(PLAN, buckets(1, counts(3), counts(3), 20, NOON_S), 1, 600)
    assert " to inf)" in page_of(Release("r", "1", "2", (few,), ()))


def test_its_charts_show_both_versions_errors_and_p95_and_the_weight(failing):
    charts = [ET.fromstring(svg) for svg in re.findall(r"<svg.*?</svg>", page_of(failing), re.DOTALL)]
    assert [chart.get("aria-label") for chart in charts] == ["Failed requests", "p95 latency", "Weight of the canary"]
    lines = [[path.get("class") for path in chart.findall("path")] for chart in charts]
    assert lines == [["stable", "canary"], ["stable", "canary"], ["canary"]]


def test_a_release_under_way_has_a_page():
    assert "under way" in page_of(Release("r", "1", "2", (), ()))


def points(*values, stepped=False):
    drawn = Chart("t", str, {"canary": values}, stepped=stepped).path(values)
    return re.findall(r"([ML])([\d.]+) ([\d.]+)", drawn)


def test_a_charts_line_spans_zero_to_the_maximum_and_breaks_at_gaps():
    drawn = points(0.0, 2.0, None, 1.0)
    assert [kind for kind, _, _ in drawn] == ["M", "L", "L", "L", "M", "L"]
    heights = [float(y) for _, _, y in drawn]
    assert heights[0] == max(heights) == 146.0
    assert heights[2] == min(heights) == 12.0
    assert heights[4] == pytest.approx((146 + 12) / 2)


def test_a_stepped_line_holds_its_value_for_the_whole_minute():
    drawn = points(0.1, 0.5, stepped=True)
    assert [float(x) for _, x, _ in drawn] == [64.0, 386.0, 386.0, 708.0]


def test_minutes_are_the_clock_s():
    seen = buckets(0, counts(1), counts(1), 60, NOON_S + 30)
    assert [(minute.start_s - NOON_S, minute.canary.requests) for minute in by_minute(seen)] == [(0, 3), (60, 3)]


def test_a_minute_without_a_bucket_is_one_without_requests():
    seen = buckets(0, counts(1), counts(1), 60, NOON_S) + buckets(1, counts(2), counts(2), 60, NOON_S + 180)
    minutes = by_minute(seen)
    assert [(m.start_s - NOON_S, m.percent, m.canary.requests) for m in minutes] == [
        (0, 10, 6), (60, 10, 0), (120, 10, 0), (180, 50, 12),
    ]  # fmt: skip

"""The scenarios' pure parts: who answered, the bound of a limit, verdicts that can fail, and reports."""

from __future__ import annotations

import dataclasses
import io
import json
import time

import httpx
import pytest
from rich.console import Console

from tidegate_local.errors import ScenarioError
from tidegate_local.releases.item import ReleaseItem, Served
from tidegate_local.scenarios import chart, page, redis_verdict, release_verdict, report, storm_verdict, writing
from tidegate_local.scenarios import storm as storm_play
from tidegate_local.scenarios.answers import Answer, tally, who_answered
from tidegate_local.scenarios.bound import against_bound
from tidegate_local.scenarios.clone import Clone
from tidegate_local.scenarios.live import LiveView, now
from tidegate_local.scenarios.play import Deed, Phase, Play
from tidegate_local.scenarios.redis_verdict import Writes
from tidegate_local.scenarios.release_verdict import Ending
from tidegate_local.scenarios.traffic import Asking, Flow, RateLimit
from tidegate_local.state import LocalState
from tidegate_local.telemetry.figures import percentile
from tidegate_local.telemetry.lines import RequestLine

# The engine that it names answers nothing: a view bears that.
STATE_OF_NOWHERE = LocalState("", "http://127.0.0.1:9", "", "embedded", {}, {}, {"LogGroupName": "a"}, "", "", "")
REDUCED = {"type": "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity"}
STATE = LocalState("", "", "", "embedded", {}, {}, {}, "", "", "", {"engine": "1.0", "redis": "redis 7.0.15"})


@pytest.mark.parametrize(
    ("who", "status", "fields", "body"),
    [
        ("handler", 200, {"ratelimit": '"50/s";r=1;t=1'}, {}),
        ("handler", 404, {"cache-status": "tidegate;fwd=uri-miss;fwd-status=404;ttl=5;stored"}, {}),
        ("cache", 200, {"cache-status": "tidegate;hit;ttl=12"}, {}),
        ("cache", 200, {"cache-status": "tidegate;fwd=uri-miss;ttl=30;collapsed"}, {}),
        ("cache", 200, {"cache-status": "tidegate;fwd=stale;fwd-status=503;ttl=-40;detail=stale-if-error"}, {}),
        ("replay", 201, {"idempotent-replayed": "true"}, {}),
        ("queue", 202, {"location": "/v1/requests/1"}, {}),
        ("limits", 429, {"ratelimit": '"50/s";r=0;t=1'}, {}),
        ("edge", 429, {"retry-after": "1"}, {}),
        ("shedding", 503, {"retry-after": "3"}, REDUCED),
        ("failed", 503, {}, REDUCED),
        ("failed", 503, {"retry-after": "3"}, {"type": "about:blank"}),
        ("failed", 502, {}, {"message": "Internal server error"}),
        ("failed", 500, {"idempotent-replayed": "true"}, {}),
    ],
)
def test_who_answered_is_told_by_status_and_fields(who, status, fields, body):
    assert who_answered(httpx.Response(status, headers=fields, json=body)) == who


def answer(at=0.0, by="handler", flow="pages of pro", status=200, took_ms=10.0, **more):
    return Answer(at, took_ms, flow, flow.rpartition(" ")[2], status, by, **more)


def test_a_tally_counts_what_came_and_what_did_not():
    counted = tally([answer(took_ms=ms) for ms in range(1, 100)] + [answer(status=None, by="nobody", took_ms=1000)])
    assert (counted.count, counted.by_status) == (100, {"200": 99, "none": 1})
    assert counted.by_who == {"handler": 99, "nobody": 1}
    assert (counted.p50_ms, counted.p99_ms) == (50, 99)


@pytest.mark.parametrize(("values", "percent", "found"), [([], 99, None), ([7.0], 50, 7.0), ([1.0, 2.0, 3.0], 99, 3.0)])
def test_a_percentile_is_a_value_that_was_measured(values, percent, found):
    assert percentile(values, percent) == found


def test_a_burst_and_then_the_rate_is_within_the_bound():
    admitted = [(0.0, 0.1)] * 5 + [(float(second), second + 0.1) for second in range(1, 20)]
    found = against_bound(admitted, 3, rate_per_s=1, burst=5)
    assert (found.admitted, found.refused) == (24, 3)
    assert 0.9 < found.most <= 1


def test_a_second_burst_is_beyond_the_bound_wherever_it_comes():
    admitted = [(float(second), second + 0.1) for second in range(60)] + [(60.0, 60.1)] * 8
    assert against_bound(admitted, 0, rate_per_s=1, burst=5).most > 1


def test_what_may_have_been_decided_earlier_is_not_held_against_a_limit():
    slow = [(float(second), 20.0) for second in range(12)]
    assert against_bound(slow, 0, rate_per_s=1, burst=5).most <= 1


LEVELS = {"orders": "critical", "pages": "normal", "reports": "sheddable", "exports": "sheddable"}


def flow(name):
    level = "sheddable" if name == "pages of free" else LEVELS[name.split()[0]]
    limit = RateLimit(per_s=1, burst=5) if name.startswith("reports") else None
    return Flow(name, name.rpartition(" ")[2], 1, lambda _: Asking("GET", "/"), criticality=level, limit=limit)


def played(answers, *phases):
    play = Play(STATE, answers=list(answers), flows={one.flow: flow(one.flow) for one in answers})
    for number, (name, when) in enumerate(phases):
        play.phases.append(Phase(name, when, number * 10.0, number * 10.0 + 10))
    return play


OUTAGE = (("before", "before"), ("refused", "during"), ("hung", "during"), ("after", "after"))


def line(at, store):
    return RequestLine(at, "api", "GET", "/", "key:1", "admitted", 200, store=store, admission_ms=2.0)


def done(differing=(), **counts):
    return Writes(5, counts, differing)


def outage(extra=(), writes=None, back_s=(1.0,), store="dynamodb"):
    """Hold an outage of Redis against what is promised; returns what did not hold."""
    reports = [answer(t * 0.5, "handler" if t % 2 else "limits", "reports of pro") for t in range(80)]
    logged = [line(15.0, store), line(25.0, store)]
    writes = writes or done(orders=5, sold=5)
    told = redis_verdict.promises(played([*reports, *extra], *OUTAGE), logged, writes, back_s, 1000)
    return [promise.what for promise in told if not promise.held]


def test_an_outage_without_a_fault_holds_all_promises():
    assert outage() == []


@pytest.mark.parametrize(
    ("fault", "broken"),
    [
        ({"extra": [answer(12.0, "failed", status=500)]}, "No client gets a 5xx"),
        ({"extra": [answer(12.0, "nobody", status=None)]}, "each gets an answer"),
        ({"extra": [answer(12.0, took_ms=1200.0)] * 3}, "p99 with Redis broken"),
        ({"extra": [answer(12.0, flow="reports of pro")] * 20}, "Reports of pro: never more than"),
        ({"store": "redis"}, "another store decides"),
        ({"writes": done(orders=6, sold=6)}, "done once, one answer"),
        ({"writes": done(orders=5, sold=4)}, "done once, one answer"),
        ({"writes": done(("internal 1",), orders=5, sold=5)}, "done once, one answer"),
        ({"back_s": (1.0, float("inf"))}, "Redis decides again"),
    ],
)
def test_each_promise_of_an_outage_can_be_broken(fault, broken):
    (what,) = outage(**fault)
    assert broken in what


STORM = (("before", "before"), ("burst", "during"), ("surge", "during"), ("after", "after"))
CALM = [
    *[answer(12.0, by, flow) for by, flow in (("edge", "pages of free"), ("limits", "reports of pro"))],
    *[answer(13.0, by, flow) for by, flow in (("cache", "pages of pro"), ("queue", "exports of pro"))],
    *[answer(22.0, "shedding", "pages of free", 503), answer(22.0, "replay", "orders of internal", 201)],
]


def storm(extra=(), left_out=None, undone=()):
    """Hold a storm against what is promised; returns what did not hold."""
    answers = [one for one in (*CALM, *extra) if one.by != left_out]
    return [p.what for p in storm_verdict.promises(played(answers, *STORM), list(undone)) if not p.held]


def test_a_storm_that_everything_took_part_in_holds_all_promises():
    assert storm() == []


@pytest.mark.parametrize(
    ("fault", "broken"),
    [
        ({"extra": [answer(22.0, "limits", "orders of internal", 429)]}, "critical requests"),
        ({"extra": [answer(22.0, "failed", status=502)]}, "No 5xx"),
        ({"extra": [answer(22.0, took_ms=2500.0)]}, "p99 of what is admitted"),
        ({"left_out": "edge"}, "take their part"),
        ({"left_out": "queue"}, "take their part"),
        ({"undone": ["/v1/requests/1"]}, "done in the end"),
    ],
)
def test_each_promise_of_a_storm_can_be_broken(fault, broken):
    (what,) = storm(**fault)
    assert broken in what


def test_what_is_critical_is_never_shed():
    broken = storm(extra=[answer(22.0, "shedding", "orders of internal", 503)])
    assert "What is least critical is shed first, and nothing critical" in broken


def ending(state, before, after, canary):
    item = ReleaseItem(
        7, state, state, {}, {"t-api": canary, "t-worker": "9"}, (10.0,), 0, 0.0, 0, 1, "said", {"canary": Served()}, ()
    )
    return Ending(item, before, after, "")


RELEASES = (("before", "before"), ("good release", "during"), ("between", "after"), ("bad release", "during"))
GOOD, BAD = ending("promoted", "1", "2", "2"), ending("rolled-back", "2", "2", "3")
HURT = answer(32.0, "failed", "orders of pro", 500)


@pytest.mark.parametrize(
    ("extra", "good", "bad", "broken"),
    [
        ([HURT], GOOD, BAD, []),
        ([HURT, answer(12.0, "failed", status=502)], GOOD, BAD, ["No request fails"]),
        ([HURT, answer(32.0, "failed", status=502)], GOOD, BAD, ["Nobody but"]),
        ([], GOOD, BAD, ["Nobody but"]),
        ([HURT], ending("promoted", "1", "1", "2"), BAD, ["The good release is promoted"]),
        ([HURT], ending("rolled-back", "1", "1", "2"), BAD, ["The good release is promoted"]),
        ([HURT], GOOD, ending("promoted", "2", "3", "3"), ["The bad release is stopped"]),
        ([HURT], GOOD, ending("rolled-back", "2", "3", "3"), ["The bad release is stopped"]),
    ],
)
def test_each_promise_of_releases_can_be_broken(extra, good, bad, broken):
    told = release_verdict.promises(played([answer(11.0), *extra], *RELEASES), good, bad, "orders")
    held = [promise.what for promise in told if not promise.held]
    assert len(held) == len(broken)
    assert all(what.startswith(begins) for what, begins in zip(held, broken, strict=True))


@pytest.fixture
def made():
    play = played([answer(5.0), answer(15.0, "failed", status=500)], *OUTAGE[:2])
    play.deeds.append(Deed(10.0, "Redis <killed> | SIGKILL"))
    promises = [report.Promise("No <5xx>", held=False, seen="1 of 2")]
    return report.of_play(play, [line(15.0, "dynamodb")], promises, name="redis-down", question="What if?")


def test_a_report_without_a_phase_is_an_error():
    with pytest.raises(ScenarioError, match="tidegate scenario"):
        report.of_play(Play(STATE), [], [], name="x", question="?")


def test_a_report_is_written_as_data_page_and_markdown(made, tmp_path):
    files = writing.write(made, tmp_path / "reports", tmp_path / "docs")
    named = {file.relative_to(tmp_path).as_posix() for file in files}
    assert {"reports/redis-down.json", "reports/redis-down.html", "docs/scenarios/redis-down.md"} <= named
    told = json.loads((tmp_path / "reports/redis-down.json").read_text())
    assert told["held"] is False
    assert [phase["clients"]["by_status"] for phase in told["phases"]] == [{"200": 1}, {"500": 1}]
    assert told["phases"][1]["decided"]["by_store"] == {"dynamodb": 100.0}


def test_a_page_stands_alone_and_escapes_what_it_says(made, tmp_path):
    picture = tmp_path / "a.png"
    picture.write_bytes(b"\x89PNG")
    html = page.as_html(made, picture)
    assert 'src="data:image/png;base64,iVBORw=="' in html
    assert "http://" not in html
    assert "https://" not in html
    assert "Redis &lt;killed&gt;" in html
    assert "No &lt;5xx&gt;" in html


def test_a_cell_of_markdown_stays_one(made):
    rows = [row for row in page.as_markdown(made, None).splitlines() if "killed" in row]
    assert rows == ["| 10.0 s | Redis <killed> / SIGKILL |"]


def test_the_picture_counts_each_answer_in_its_second(made):
    assert chart.per_second(made, 20)["failed"] == [0] * 15 + [1] + [0] * 4


def test_the_picture_is_small(made, tmp_path):
    pytest.importorskip("matplotlib", reason="the group `demo` is not installed")
    chart.draw(dataclasses.replace(made, weights=((0.0, 0.0), (5.0, 100.0))), tmp_path / "a.png")
    content = (tmp_path / "a.png").read_bytes()
    assert content.startswith(b"\x89PNG")
    assert len(content) < 150_000


def test_the_view_sums_up_the_last_seconds_alone():
    seen = now([answer(1.0), *[answer(9.0, "cache", took_ms=20.0)] * 6], 10.0)
    assert (seen.per_s, seen.p99_ms) == ({"cache": 2.0}, 20.0)


def test_without_a_terminal_a_view_says_each_phase_deed_and_note_once():
    console = Console(file=io.StringIO(), width=200)
    view = LiveView(console, "a scenario")
    view.began("hung", 8)
    view.did(Deed(0.0, "Redis stopped"))
    for _ in range(3):
        view.look([])
        view.tell("new version at 10 %")
    said = [text.partition("  ")[2] for text in console.file.getvalue().splitlines()]
    assert said == [
        "hung, 8 s; now no answers yet; p99 -; decided by nobody",
        "Redis stopped",
        "new version at 10 %",
    ]


def test_on_a_terminal_a_view_draws_rates_latency_and_what_was_done():
    console = Console(file=io.StringIO(), width=120, force_terminal=True, color_system=None)
    view = LiveView(console, "a scenario")
    with view.opened(STATE_OF_NOWHERE):
        view.began("hung", 8)
        view.did(Deed(0.0, "Redis stopped"))
        view.tell("new version at 10 %")
        view.look([answer(time.time(), "limits", status=429), answer(time.time(), took_ms=42.0)])
    drawn = console.file.getvalue()
    assert all(part in drawn for part in ("a scenario", "hung", "limits", "█", "42 ms", "Redis stopped", "at 10 %"))


def test_a_passage_that_is_not_there_once_is_not_changed(tmp_path):
    clone = Clone(tmp_path, {})
    (tmp_path / "a.py").write_text("x = 1\nx = 1\n")
    with pytest.raises(ScenarioError, match="2 times"):
        clone.replace("a.py", "x = 1", "x = 2")


def test_the_machine_is_blamed_only_if_it_is_busy():
    assert "too busy" in storm_play.not_calm(12.3, cores=2)
    assert "load 12.3 on 2 cores" in storm_play.not_calm(12.3, cores=2)
    assert "too busy" not in storm_play.not_calm(0.9, cores=2)
    assert "that is a fault" in storm_play.not_calm(0.9, cores=2)

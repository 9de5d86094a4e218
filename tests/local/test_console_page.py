"""The console's page in a browser, on a phone and beside it: what it says of snapshots that a test makes up.

The server and the page are the real ones. What is watched is a double, for no cloud is in all these states at once;
tests/e2e/test_console.py shows a real cloud's.
"""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import asdict, replace

import pytest
import uvicorn
from playwright.sync_api import expect

from tests.harness.browser import NAMED_BY, browser_binary, running_browser
from tidegate_local import ports
from tidegate_local.console import breaking
from tidegate_local.console.actions import Actions
from tidegate_local.console.app import create_app
from tidegate_local.console.instruments import Caller, Health, Traffic, Weights
from tidegate_local.releases.item import ReleaseItem, Served
from tidegate_local.scenarios import demo
from tidegate_local.telemetry.figures import Figures, by_caller, by_second
from tidegate_local.telemetry.lines import RequestLine, StoreChange
from tidegate_local.telemetry.queue_depth import QueueDepth

TOKEN = "a-token-of-the-test"
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1180, "height": 900}
LONG = "a-principal-with-a-name-that-nobody-would-call-short-" * 2
API, WORKER = "Tidegate-local-api", "Tidegate-local-worker"
DEPENDENCY = {"state": "ready", "since": "", "latency_ms": 12.5, "error": None, "breaker": "closed"}
FIRST = ReleaseItem(
    token=1,
    state="promoted",
    phase="promoted",
    stable={},
    canary={API: "1", WORKER: "1"},
    steps=(10.0, 50.0),
    step=0,
    percent=0.0,
    began=0,
    ended=0,
    reason=f"Promoted: {API} version 1, {WORKER} version 1.",
    served={"stable": Served(), "canary": Served()},
    promotions=(),
)
SECOND = replace(
    FIRST, token=2, stable=FIRST.canary, canary={API: "12", WORKER: "12"}, reason=f"Promoted: {API} version 12."
)
FAILED = replace(SECOND, state="rolled-back", reason=f"{API} version 12 fails {LONG}")


def snapshot(weights=None, health=None, errors=None, lines=()):
    """A snapshot of a cloud that is up, in the form of console/watch.py."""
    now_s = time.time()
    callers = tuple(Caller(one, 3, None) for one in by_caller(lines))
    change = StoreChange(now_s, "api", "redis", "failing", f"ConnectionRefusedError: {LONG}")
    traffic = Traffic(
        Figures.of(lines), Figures.of(lines), Figures.of([]), 1, by_second(lines, int(now_s) - 59, int(now_s)), callers,
        (change,) if lines else (),
    )  # fmt: skip
    return {
        "at_s": now_s,
        "span_s": 60,
        "recent_s": 5,
        "cloud": {
            "up": True,
            "why": None,
            "engine": "MiniStack 1",
            "redis": "redis 7",
            "api_url": "http://127.0.0.1:4566",
        },
        "redis": {"state": "up", "latency_ms": 0.2},
        "health": health and asdict(health),
        "queue": asdict(QueueDepth(0, 0, 0, 0)),
        "weights": weights and asdict(weights),
        "traffic": asdict(traffic),
        "oldest_s": None,
        "errors": errors or {},
    }


BUSY = snapshot(
    Weights({"1": 90.0, "12": 10.0}, FAILED),
    Health("ok", "redis", "1", ({"name": "redis", **DEPENDENCY}, {"name": "dynamodb", **DEPENDENCY})),
    lines=[
        RequestLine(time.time(), "api", "GET", f"/v1/{LONG}/{{order_id}}", LONG, "limited", 429, 1200.0, "redis", 1.0)
        for _ in range(40)
    ],
)


class Watched:
    """In place of console/watch.py's: it has seen what the test says."""

    def __init__(self) -> None:
        self.told = BUSY
        self.refusal = None
        self.actions = None

    def snapshot(self):
        return {**self.told, "actions": self.actions.told()}


@pytest.fixture(scope="module")
def browser():
    binary = browser_binary()
    if binary is None:
        pytest.skip(f"no Chromium on PATH; install one, or name it by {NAMED_BY}")
    with running_browser(binary) as browser:
        yield browser


@pytest.fixture
def watched(folder):
    return Watched()


@pytest.fixture
def opened(browser, watched, folder):
    """`opened(viewport)` is the page in a window of that size, once it is live."""
    stopping, pages = asyncio.Event(), []
    with ports.listen_from(24600) as listener:
        host = f"{ports.LOOPBACK}:{listener.getsockname()[1]}"
        watched.actions = Actions(breaking.actions(folder, demo.of_project()), lambda: watched.refusal)
        app = create_app(watched, watched.actions, stopping, token=TOKEN, hosts=frozenset({host}))
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off", timeout_graceful_shutdown=1))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()

        def open_page(viewport):
            page = browser.new_page(viewport=viewport)
            pages.append(page)
            page.goto(f"http://{host}/#{TOKEN}")
            expect(page.locator("#link")).to_have_text("live")
            return page

        try:
            yield open_page
        finally:
            for page in pages:
                page.close()
            server.should_exit = True
            thread.join()


def width(page):
    """What the page is wide, and what of it can be seen."""
    return page.evaluate("() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]")


@pytest.mark.parametrize("told", [BUSY, snapshot()], ids=["at work", "before anything was read"])
def test_on_a_phone_nothing_is_beside_the_page(opened, watched, told):
    watched.told = told
    page = opened(PHONE)
    expect(page.locator("#stores tbody tr")).to_have_count(3)
    assert width(page) == [390, 390]
    beside = """() => [...document.querySelectorAll('main *')].filter(one => !one.closest('thead')
        && one.getClientRects().length && one.getBoundingClientRect().right > 390).map(one => one.outerHTML)"""
    assert page.evaluate(beside) == []


def test_on_a_phone_each_button_is_reached_and_large_enough(opened, watched):
    page = opened(PHONE)
    buttons = page.locator("#buttons button")
    expect(buttons).to_have_count(6)
    for button in buttons.all():
        button.scroll_into_view_if_needed()
        place = button.bounding_box()
        assert place["height"] >= 44
        assert place["x"] >= 0
        assert place["x"] + place["width"] <= 390
    page.locator("button[data-name=kill]").click()
    expect(page.locator("#attempt")).not_to_contain_text("Redis is lost in four ways")


def test_on_a_phone_a_cell_has_the_name_of_its_column(opened):
    page = opened(PHONE)
    first = page.locator("#stores tbody tr").first
    names = first.evaluate("row => [...row.cells].slice(1).map(cell => getComputedStyle(cell, '::before').content)")
    assert names == ['"state"', '"breaker"', '"decided, last minute"', '"answers in"']


def test_on_a_phone_the_way_leads_down_and_its_words_can_be_read(opened):
    page = opened(PHONE)
    client, edge, settle = (
        page.locator(f"#station-{name} rect").bounding_box() for name in ("client", "edge", "settle")
    )
    assert client["x"] == edge["x"] == settle["x"]
    assert client["y"] < edge["y"] < settle["y"]
    for name in ("#station-client .note", "#requests text >> nth=0"):
        assert page.locator(name).bounding_box()["height"] >= 10
    page.set_viewport_size(DESK)
    expect(page.locator("#diagram")).to_have_attribute("viewBox", "0 0 1200 274")
    assert page.locator("#station-client .rate").text_content() != ""


@pytest.mark.parametrize(
    ("told", "phase", "table", "verdict"),
    [
        (snapshot(), "not asked yet", "No alias was read yet.", ""),
        (snapshot(Weights({"1": 100.0}, None)), "none so far", "Version 1 has all of the traffic.", ""),
        (
            snapshot(Weights({"1": 100.0}, FIRST)),
            "none since the first deploy",
            "Version 1 has all of the traffic.",
            "",
        ),
        (snapshot(Weights({"12": 100.0}, SECOND)), "2: promoted", "api 12, worker 12", SECOND.reason),
        (snapshot(Weights({"1": 100.0}, FAILED)), "2: rolled back", "api 12, worker 12", FAILED.reason),
        (snapshot(errors={"weights": "it is gone"}), "unknown", "No alias was read yet.", ""),
    ],
    ids=["before it was read", "never released", "first deploy", "promoted", "rolled back", "unreadable"],
)
def test_the_release_is_called_what_it_is(opened, watched, told, phase, table, verdict):
    watched.told = told
    page = opened(PHONE)
    expect(page.locator("#release-phase")).to_have_text(phase)
    expect(page.locator("#release tbody")).to_contain_text(table)
    expect(page.locator("#verdict")).to_have_text(verdict)
    assert page.locator("#steps li").count() == (3 if verdict else 0)


def test_what_was_not_asked_yet_is_not_called_unknown(opened, watched):
    watched.told = snapshot()
    page = opened(DESK)
    dynamodb = page.locator("#stores tbody tr").nth(1)
    expect(dynamodb.locator("td").nth(1)).to_have_text("not asked yet")
    expect(dynamodb.locator("td").nth(2)).to_have_text("not asked yet")
    watched.told = snapshot(errors={"health": "no answer"})
    expect(dynamodb.locator("td").nth(1)).to_have_text("unknown")
    expect(dynamodb.locator("td").nth(2)).to_have_text("unknown")

"""The console in a real browser: it shows what happens, and its buttons do what they say."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis
from playwright.sync_api import Page, expect

from tests.harness.browser import NAMED_BY, browser_binary, running_browser
from tests.harness.console import running_console
from tidegate_local.layout import StateFolder
from tidegate_local.redis import server as redis_server
from tidegate_local.registry import ProcessRegistry
from tidegate_local.state import LocalState

pytestmark = pytest.mark.e2e

PATIENCE_MS = 180_000
RELEASED_WITHIN_MS = 400_000
ASKED = 30


@dataclass(frozen=True)
class Shown:
    """The console of the tests' cloud; but the Redis that its buttons break is one of its own."""

    address: str
    page: Page
    folder: StateFolder
    state: LocalState
    asked_for: list[str]

    @property
    def registry(self) -> ProcessRegistry:
        return ProcessRegistry(self.folder.processes_file)

    @property
    def origin(self) -> str:
        return self.address.partition("/#")[0]

    @property
    def token(self) -> str:
        return self.address.partition("#")[2]

    def press(self, name: str) -> None:
        self.page.locator(f"button[data-name={name}]").click()

    def says(self, text: str) -> None:
        expect(self.page.locator("#attempt")).to_contain_text(text)

    def redis_is(self, state: str) -> None:
        expect(self.page.locator("#stores tbody tr").first.locator("td").nth(1)).to_have_text(state)

    def ping(self) -> bool:
        with closing(redis.Redis.from_url(self.state.redis_url, socket_timeout=5, socket_connect_timeout=5)) as client:
            return bool(client.ping())


@pytest.fixture(scope="module")
def shown(cloud: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    binary = browser_binary()
    if binary is None:
        pytest.skip(f"no Chromium on PATH; install one, or name it by {NAMED_BY}")
    expect.set_options(timeout=PATIENCE_MS)
    folder = StateFolder(tmp_path_factory.mktemp("console"))
    registry = ProcessRegistry(folder.processes_file)
    try:
        server = redis_server.ensure(folder, registry)
        state = replace(LocalState(**cloud.state), redis_url=server.url, engine="embedded")
        state.write(folder.state_file)
        with running_console(folder.path) as address, running_browser(binary) as browser:
            page = browser.new_page()
            page.set_default_timeout(PATIENCE_MS)
            asked_for: list[str] = []
            page.on("request", lambda request: asked_for.append(request.url))
            page.goto(address)
            yield Shown(address, page, folder, state, asked_for)
    finally:
        registry.stop(redis_server.NAME)


def test_requests_are_seen_with_who_made_them_and_what_is_left_to_him(cloud, shown):
    expect(shown.page.locator("#link")).to_have_text("live")
    for _ in range(ASKED):
        assert cloud.get("/v1/orders/none", tier="free").status_code in {404, 429}
    mine = shown.page.locator("#limits tbody tr", has_text="GET /v1/orders/{order_id}").filter(has_text="free")
    shown.page.wait_for_function(
        """asked => [...document.querySelectorAll('#limits tbody tr')].some(row => {
            const [who, route, through, limited] = [...row.cells].map(cell => cell.textContent);
            return who === 'free' && route === 'GET /v1/orders/{order_id}' && +through + +limited >= asked;
        })""",
        arg=ASKED,
    )
    expect(mine.locator("td").nth(5)).to_have_text(re.compile(r"^\d+$"))
    expect(shown.page.locator("#outcomes")).to_contain_text("admitted")
    expect(shown.page.locator("#station-edge .note")).to_have_text(re.compile(r"v\d+"))
    expect(shown.page.locator("#station-client .note")).not_to_have_text("0 last minute")
    assert shown.page.locator("#requests rect").count() > 0


def test_it_fits_a_phone(shown):
    browser = shown.page.context.browser
    assert browser is not None
    with closing(browser.new_page(viewport={"width": 390, "height": 844})) as phone:
        phone.goto(shown.address)
        expect(phone.locator("#link")).to_have_text("live")
        expect(phone.locator("#stores tbody tr")).to_have_count(3)
        assert phone.evaluate("() => document.documentElement.scrollWidth") == 390
        expect(phone.locator("#release-phase")).to_have_text(
            re.compile("none since the first deploy|promoted|rolled back")
        )
        phone.locator("button[data-name=resume]").click()
        expect(phone.locator("#attempt")).to_contain_text("Redis")


def test_it_loads_nothing_from_anywhere_else(shown):
    expect(shown.page.locator("#link")).to_have_text("live")
    assert len(shown.asked_for) >= 7  # the page, its style and scripts, the events
    assert all(url.startswith(shown.origin) for url in shown.asked_for)


def test_kill_kills_redis_and_restart_brings_it_back_empty(shown):
    shown.redis_is("up")
    before = shown.registry.running(redis_server.NAME)
    shown.press("kill")
    shown.redis_is("down")
    shown.says("Redis is killed")
    assert before is not None
    assert shown.registry.running(redis_server.NAME) is None
    with pytest.raises(redis.ConnectionError):
        shown.ping()
    expect(shown.page.locator("#station-redis")).to_have_attribute("data-state", "bad")
    shown.press("kill")
    shown.says("Redis is not running")
    shown.press("restart")
    shown.redis_is("up")
    after = shown.registry.running(redis_server.NAME)
    assert after is not None
    assert (after.url, after.identity != before.identity) == (before.url, True)
    assert shown.ping()


def test_hang_hangs_redis_and_resume_lets_it_go_on(shown):
    shown.redis_is("up")
    before = shown.registry.running(redis_server.NAME)
    shown.press("hang")
    shown.redis_is("hung")
    with (
        closing(redis.Redis.from_url(shown.state.redis_url, socket_timeout=0.2, retry=None)) as client,
        pytest.raises(redis.TimeoutError),
    ):
        client.ping()
    shown.press("resume")
    shown.redis_is("up")
    assert shown.registry.running(redis_server.NAME) == before
    assert shown.ping()


@pytest.mark.benchmark  # half a minute: `make test ARGS="tests/e2e/test_console.py -m benchmark"` presses it
def test_storm_brings_a_storm_and_says_what_clients_saw(shown):
    shown.press("storm")
    shown.says("The storm: burst")
    expect(shown.page.locator("button[data-name=storm]")).to_be_disabled()
    expect(shown.page.locator("#outcomes")).to_contain_text("limited")
    shown.says("The storm: surge")
    shown.says("The storm is over. What clients saw:")
    expect(shown.page.locator("#attempt")).to_contain_text(re.compile(r"limits [1-9]"))
    expect(shown.page.locator("button[data-name=storm]")).to_be_enabled()


@pytest.mark.benchmark  # a minute or two, as above
def test_bad_release_releases_a_version_that_is_rolled_back(cloud, shown):
    before = version_in_force(cloud)
    browser = shown.page.context.browser
    assert browser is not None
    # What is released goes to the engine that its state folder knows: the tests' cloud's own.
    folder = Path(cloud.environ["TIDEGATE_STATE_DIR"])
    with (
        running_console(folder, REDIS_URL=cloud.redis.url) as address,
        closing(browser.new_page()) as page,
    ):
        page.goto(address)
        page.locator("button[data-name=bad-release]").click()
        told = page.locator("#attempt")
        expect(told).to_contain_text(re.compile(r"new version at \d"), timeout=RELEASED_WITHIN_MS)
        expect(told).to_contain_text("was rolled back", timeout=RELEASED_WITHIN_MS)
        expect(told).to_contain_text(f"Version {before} is in force.")
    assert version_in_force(cloud) == before


def version_in_force(cloud):
    outputs = cloud.state["outputs"]
    with cloud.aws("lambda") as client:
        alias = client.get_alias(FunctionName=outputs["FunctionName"], Name=outputs["AliasName"])
    return alias["FunctionVersion"]


def test_a_cloud_that_goes_is_said_to_be_down_and_one_that_comes_is_shown(shown):
    notice = shown.page.locator("#notice")
    expect(notice).to_be_hidden()
    stored = shown.folder.state_file.read_bytes()
    shown.folder.state_file.unlink()
    expect(notice).to_contain_text("make up")
    expect(shown.page.locator("button[data-name=kill]")).to_be_disabled()
    shown.folder.state_file.write_bytes(stored)
    expect(notice).to_be_hidden()
    expect(shown.page.locator("button[data-name=kill]")).to_be_enabled()


def test_who_has_no_token_learns_and_breaks_nothing(shown):
    with httpx.Client(base_url=shown.origin, timeout=30) as http:
        assert http.get("/").status_code == 200
        for query in ("", "?token=", "?token=x"):
            assert http.get(f"/api/events{query}").status_code == 403
        refused = http.post("/api/actions/kill", headers={"origin": shown.origin})
        assert (refused.status_code, "tidegate console" in refused.json()["detail"]) == (403, True)
        with http.stream("GET", f"/api/events?token={shown.token}") as events:
            said = next(line for line in events.iter_lines() if line.startswith("data: "))
    assert json.loads(said.removeprefix("data: "))["cloud"]["up"] in {True, False}
    assert shown.registry.running(redis_server.NAME) is not None
    browser = shown.page.context.browser
    assert browser is not None
    with closing(browser.new_page()) as lost:
        lost.goto(shown.origin)
        expect(lost.locator("#notice")).to_contain_text("Open the address")

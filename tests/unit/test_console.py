"""The console without a browser: who is let in, and how its buttons behave."""

from __future__ import annotations

import asyncio
import threading
from contextlib import closing

import httpx
import pytest

from tests.harness.waiting import eventually
from tidegate_local.console import breaking
from tidegate_local.console.actions import Action, Actions
from tidegate_local.console.app import create_app
from tidegate_local.console.gauge import Gauge
from tidegate_local.console.watch import Watch
from tidegate_local.errors import BusyError, LocalCloudError, ScenarioError
from tidegate_local.layout import StateFolder
from tidegate_local.scenarios import demo
from tidegate_local.state import LocalState

TOKEN = "a-token-of-the-test"
ORIGIN = "http://127.0.0.1:4600"
PATIENCE_S = 30
OURS = {"authorization": f"Bearer {TOKEN}", "origin": ORIGIN}


def action(run):
    return Action("Do it", "It is done", "redis", run)


@pytest.fixture
def pressed():
    return []


@pytest.fixture
def ask(tmp_path, pressed):
    """Ask the console of a folder without a cloud; its one button notes that it was pressed."""
    actions = Actions({"do": action(lambda _: pressed.append("do") or "Done.")}, lambda: None)
    with closing(actions), closing(Watch(StateFolder(tmp_path), actions)) as watch:

        def asked(method, path, **fields):
            async def sent():
                app = create_app(watch, actions, stopping=asyncio.Event(), token=TOKEN, hosts=frozenset({ORIGIN[7:]}))
                transport = httpx.ASGITransport(app)
                async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as http:
                    return await http.request(method, path, headers=fields)

            return asyncio.run(sent())

        yield asked


def test_the_page_needs_no_token_and_loads_and_frames_nothing_foreign(ask):
    answer = ask("GET", "/")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert (answer.headers["cache-control"], answer.headers["referrer-policy"]) == ("no-store", "no-referrer")


@pytest.mark.parametrize("path", ["/", "/api/events", "/console.js"])
def test_another_name_of_this_machine_is_refused(ask, path):
    assert ask("GET", path, host="rebound.example:4600", **OURS).status_code == 403


@pytest.mark.parametrize(
    "fields",
    [
        {"origin": ORIGIN},
        {"origin": ORIGIN, "authorization": "Bearer "},
        {"origin": ORIGIN, "authorization": f"Bearer {TOKEN}x"},
        {"origin": ORIGIN, "authorization": f"Basic {TOKEN}"},
        {"authorization": f"Bearer {TOKEN}"},
        {"authorization": f"Bearer {TOKEN}", "origin": "http://evil.example"},
        {"authorization": f"Bearer {TOKEN}", "origin": "null"},
        {"authorization": f"Bearer {TOKEN}", "origin": "http://127.0.0.1:4601"},
    ],
)
def test_who_has_no_token_or_is_another_page_presses_no_button(ask, pressed, fields):
    answer = ask("POST", "/api/actions/do", **fields)
    assert answer.status_code == 403
    assert "`tidegate console`" in answer.json()["detail"]
    assert pressed == []


def test_a_token_in_the_address_presses_no_button(ask, pressed):
    assert ask("POST", f"/api/actions/do?token={TOKEN}", origin=ORIGIN).status_code == 403
    assert pressed == []


def test_the_own_page_presses_buttons(ask, pressed):
    assert ask("POST", "/api/actions/do", **OURS).status_code == 202
    assert ask("POST", "/api/actions/undo", **OURS).status_code == 404
    eventually(lambda: pressed == ["do"])


def test_one_button_at_a_time_with_its_progress_and_its_end():
    told, go_on, ended = threading.Event(), threading.Event(), threading.Event()

    def run(progress):
        progress.tell("half of it")
        told.set()
        assert go_on.wait(PATIENCE_S)
        return "all of it"

    def quick(_):
        ended.set()
        return "at once"

    with closing(Actions({"long": action(run), "quick": action(quick)}, lambda: None)) as actions:
        actions.start("long")
        assert told.wait(PATIENCE_S)
        assert actions.told()["attempt"]["notes"] == ("half of it",)
        with pytest.raises(BusyError, match="still at work"):
            actions.start("quick")
        assert not ended.is_set()
        go_on.set()
    attempt = actions.told()["attempt"]
    assert (attempt["name"], attempt["state"], attempt["notes"]) == ("long", "done", ("half of it", "all of it"))
    assert attempt["ended_s"] >= attempt["began_s"]


@pytest.mark.parametrize(
    ("raised", "said"),
    [(ScenarioError("Start it with `make up`."), "Start it with `make up`."), (OSError("gone"), "OSError: gone")],
)
def test_what_fails_says_why_and_the_next_one_may_be_pressed(raised, said):
    def run(_):
        raise raised

    with closing(Actions({"do": action(run)}, lambda: None)) as actions:
        actions.start("do")
    attempt = actions.told()["attempt"]
    assert (attempt["state"], attempt["notes"]) == ("failed", (said,))
    with closing(actions):
        assert actions.start("do").state == "running"


def test_the_end_of_the_console_stops_what_runs():
    def run(progress):
        return "stopped" if progress.stop.wait(PATIENCE_S) else "forgotten"

    with closing(Actions({"do": action(run)}, lambda: None)) as actions:
        actions.start("do")
    assert actions.told()["attempt"]["notes"] == ("stopped",)


def test_only_a_cloud_of_ours_is_broken(tmp_path):
    folder = StateFolder(tmp_path)
    assert "make up" in (breaking.refusal(folder) or "")
    for engine, refused in (("embedded", False), ("localstack-host", False), ("external", True)):
        LocalState("", "", "", engine, {}, {}, {}, "", "", "").write(folder.state_file)
        assert (breaking.refusal(folder) is not None) is refused
    folder.state_file.write_text("{}")
    assert "make down" in (breaking.refusal(folder) or "")
    with (
        closing(Actions(breaking.actions(folder, None), lambda: breaking.refusal(folder))) as actions,
        pytest.raises(LocalCloudError, match="make down"),
    ):
        actions.start("kill")


def test_scenarios_have_buttons_where_the_project_has_a_demo(tmp_path):
    redis = ["kill", "hang", "resume", "restart"]
    assert list(breaking.actions(StateFolder(tmp_path), None)) == redis
    buttons = breaking.actions(StateFolder(tmp_path), demo.of_project())
    assert list(buttons) == [*redis, "storm", "bad-release"]
    assert buttons["bad-release"].about == "A version that fails 5% of its orders, released under traffic"


def test_a_gauge_says_why_it_has_no_value_and_reads_again():
    readings = iter(["first", OSError("no answer"), "third"])
    read = threading.Semaphore(0)
    shown = threading.Semaphore(0)

    def prepare(_):
        def reading():
            assert read.acquire(timeout=PATIENCE_S)
            value = next(readings, "later")
            shown.release()
            if isinstance(value, OSError):
                raise value
            return value

        return reading

    with closing(Gauge("test", 0.0, prepare)) as gauge:
        seen = []
        for _ in range(3):
            read.release()
            assert shown.acquire(timeout=PATIENCE_S)
            expected = ["first", None, "third"][len(seen)]
            eventually(lambda expected=expected: gauge.value == expected and (gauge.error is None) is bool(expected))
            seen.append((gauge.value, gauge.error))
        gauge.close()
        read.release()
    assert seen == [("first", None), (None, "OSError: no answer"), ("third", None)]

"""`tidegate migrate` against a function on the engine that answers as the one that migrates does."""

import types
import uuid

import pytest

from tidegate_local import migrate

# Tells "more" until its file says that it was called twice; what it was asked for is in the answer.
SOURCE = """
import os, pathlib

def handler(event, context):
    if event["action"] == "down":
        raise PermissionError("not that")
    if event["action"] == "contract":
        return {"status": "failed", "schema": 1, "progress": {}, "reason": "0001_a.py was changed after it ran"}
    calls = pathlib.Path(os.environ.get("TMPDIR", "/tmp"), context.function_name)
    said = calls.read_text() if calls.exists() else ""
    calls.write_text(said + ".")
    progress = {"migration": "0001_a", "doing": "expanding", "read": 200, "written": 150, "of": 400}
    if len(said) < 2:
        return {"status": "more", "schema": 0, "progress": progress, "reason": None}
    return {"status": "done", "schema": 1, "progress": {"expanded": [event["release"]]}, "reason": None}
"""


@pytest.fixture
def state(running_engine, make_function):
    name = f"migrate-{uuid.uuid4().hex}"
    make_function(name, SOURCE)
    return types.SimpleNamespace(endpoint_url=running_engine.url, outputs={"MigrateName": name})


def test_it_is_invoked_until_it_is_done(state):
    answers = list(migrate.run(state, "expand", release="r1"))
    assert [answer["status"] for answer in answers] == ["more", "more", "done"]
    assert list(migrate.lines(answers[0])) == ["0001_a: expanding, 200 read, 150 written"]
    assert list(migrate.lines(answers[-1])) == ["r1: expanded", "Schema 1 is in force."]


@pytest.mark.parametrize(("action", "said"), [("contract", "0001_a.py was changed"), ("down", "Error: not that")])
def test_a_failure_is_said_in_the_function_s_own_words(state, action, said):
    with pytest.raises(migrate.MigrateError, match=said):
        list(migrate.run(state, action, release="r1"))


def test_what_is_due_and_what_waits_is_listed():
    progress = {
        "due": [{"name": "0002_b", "items": 7, "exact": True}, {"name": "0003_c", "items": 9, "exact": False}],
        "waiting": {"0001_a": "it bakes for 5 s more"},
    }
    assert list(migrate.lines({"status": "done", "schema": 1, "reason": None, "progress": progress})) == [
        "0002_b: due, 7 items",
        "0003_c: due, at least 9 items",
        "0001_a: waits, it bakes for 5 s more",
        "Schema 1 is in force.",
    ]


def test_states_are_listed_with_their_reasons():
    migrations = [
        {"name": "0001_a", "state": "expanded", "read": 9, "written": 8, "reason": None},
        {"name": "0002_b", "state": "failed", "read": 0, "written": 0, "reason": "no"},
        {"name": "0003_c", "state": "pending"},
    ]
    said = {"status": "done", "schema": 1, "reason": "0001_a.py was changed", "progress": {"migrations": migrations}}
    assert list(migrate.lines(said)) == [
        "Nothing may run: 0001_a.py was changed",
        "0001_a: expanded, 9 read, 8 written",
        "0002_b: failed, 0 read, 0 written (no)",
        "0003_c: pending",
        "Schema 1 is in force.",
    ]

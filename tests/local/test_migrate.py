"""`tidegate migrate` against a function on the engine that answers as the one that migrates does."""

import contextlib
import json
import types
import uuid

import pytest
import typer
from typer.testing import CliRunner

from tidegate_local import cloud
from tidegate_local.cli.commands import app
from tidegate_local.releases import migrate
from tidegate_local.releases.gone_back import gone_back

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


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--status", "--contract"], "--status and --contract are different things to do"),
        (["--status", "--down", "r1"], "--status and --down are different things"),
        (["--contract", "--down", "r1"], "--contract and --down are different things"),
        (["--down", "r1", "--contract", "--dry-run"], "--contract and --down are different things"),
        (["--status", "--dry-run"], "leave --dry-run out"),
        (["--down", ""], "is no release's name"),
        (["--down", " "], "is no release's name"),
        (["--down", "--contract"], "is no release's name"),
        (["--down", "--dry-run"], "is no release's name"),
    ],
)
def test_options_that_contradict_each_other_do_nothing(words, said):
    result = CliRunner().invoke(app, ["migrate", *words], env={"COLUMNS": "300", "TIDEGATE_STATE_DIR": "/nowhere"})
    assert result.exit_code == 2
    assert said in result.output


def answer(status="done", **progress):
    return {"status": status, "schema": 1, "reason": None, "progress": progress}


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ([answer(undone=[])], "none is in force that r9 expanded"),
        ([answer(due=[])], "none is in force that r9 expanded"),
        ([answer("more", trouble="another runner has the lock"), answer(undone=[])], "none is in force"),
        ([answer(undone=[], kept={"0001_a": "it has no `down`"})], "0001_a stays: it has no `down`"),
    ],
)
def test_taking_back_nothing_is_no_success(answers, said):
    with pytest.raises(typer.BadParameter, match=said) as raised:
        list(migrate.effective(answers, "r9"))
    assert raised.value.exit_code == 2
    assert "tidegate migrate --status" in raised.value.message


@pytest.mark.parametrize(
    "answers",
    [
        [answer(undone=["0001_a"])],
        [answer("more", migration="0001_a", doing="undoing", read=1, written=1), answer(undone=[])],
        [answer(undone=["0002_b"], kept={"0001_a": "it has no `down`"})],
        [answer(due=[{"name": "0001_a", "items": 7, "exact": True}])],
    ],
)
def test_what_was_taken_back_is_said(answers):
    assert list(migrate.effective(answers, "r1")) == answers


def test_what_stays_and_what_comes_first_is_listed():
    told = answer(undone=["0002_b"], kept={"0001_a": "it has no `down`"}, taken_back_first=["0003_c"])
    assert list(migrate.lines(told)) == [
        "0003_c: is taken back first, its file isn't there as it was",
        "0002_b: undone",
        "0001_a: stays, it has no `down`",
        "Schema 1 is in force.",
    ]


def test_a_cloud_without_the_function_is_said_in_words(running_engine):
    absent = types.SimpleNamespace(endpoint_url=running_engine.url, outputs={"MigrateName": "nowhere"})
    with pytest.raises(migrate.MigrateError, match=r"nowhere didn't answer: .*not found"):
        list(migrate.run(absent, "expand"))
    former = types.SimpleNamespace(endpoint_url=running_engine.url, outputs={})
    with pytest.raises(migrate.MigrateError, match="has no function that migrates"):
        list(migrate.run(former, "expand"))


def test_an_answer_that_is_none_is_said_in_words(running_engine, make_function):
    name = f"mute-{uuid.uuid4().hex}"
    make_function(name, "def handler(event, context):\n    return None\n")
    mute = types.SimpleNamespace(endpoint_url=running_engine.url, outputs={"MigrateName": name})
    with pytest.raises(migrate.MigrateError, match="answered None"):
        list(migrate.run(mute, "expand"))


def test_nothing_is_contracted_while_an_older_version_is_in_force(state, running_engine, make_function, functions):
    api, table = f"api-{uuid.uuid4().hex}", f"ledger-{uuid.uuid4().hex}"
    make_function(api, "def handler(event, context):\n    return 1\n")
    functions.publish_version(FunctionName=api)
    functions.create_alias(FunctionName=api, Name="live", FunctionVersion="1")
    item = {
        "pk": "release#local",
        "doing": "promoted",
        "phase": "promoting",
        "reason": "",
        "targets": "[]",
        "stable": "{}",
        "steps": "[]",
        "promotions": json.dumps([{api: "1"}, {api: "2"}]),
    }
    numbers = {key: {"N": "1"} for key in ("token", "step", "percent", "began", "ended")}
    with contextlib.closing(cloud.client("dynamodb", running_engine.url)) as dynamodb:
        dynamodb.create_table(
            TableName=table,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        )
        dynamodb.put_item(TableName=table, Item={name: {"S": text} for name, text in item.items()} | numbers)
    state.outputs.update(FunctionName=api, AliasName="live", TidegateTable=table)
    with pytest.raises(migrate.MigrateError, match="version 1 is in force, and not 2"):
        list(migrate.run(state, "contract"))
    functions.update_function_configuration(FunctionName=api, Description="the second")
    functions.get_waiter("function_updated_v2").wait(FunctionName=api, WaiterConfig={"Delay": 0.05})
    functions.publish_version(FunctionName=api)
    functions.update_alias(FunctionName=api, Name="live", FunctionVersion="2")
    assert gone_back(state) is None

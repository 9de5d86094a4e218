"""What `tidegate doctor` finds, and what it says to do; and completion in a shell."""

import json
import os
import socket
import subprocess
import sys
from dataclasses import asdict

import pytest
from botocore.exceptions import ProfileNotFound
from typer.testing import CliRunner

from tidegate_local.cli.commands import app
from tidegate_local.doctor import account, machine, running, tools
from tidegate_local.engines.containers import Containers
from tidegate_local.engines.health import Health
from tidegate_local.processes import ProcessIdentity
from tidegate_local.redis.server import without_password
from tidegate_local.registry import ManagedProcess
from tidegate_local.state import LocalState

GB = 1_000_000_000
ENGINE = "http://127.0.0.1:4566"


def state(**changed):
    told = {"api_url": f"{ENGINE}/api", "endpoint_url": ENGINE, "redis_url": "redis://", "engine": "embedded"}
    rest = {"api_keys": {}, "pids": {}, "outputs": {}, "started_at": "", "deployed": "", "stack_version": ""}
    return LocalState(**{**told, **rest, **changed})


@pytest.fixture
def found(folder, monkeypatch):
    """`found()` runs the command; returns its exit status and its findings by subject."""
    monkeypatch.setenv("TIDEGATE_STATE_DIR", str(folder.path))

    def look():
        done = CliRunner().invoke(app, ["doctor", "--json"])
        return done.exit_code, {one["subject"]: one for one in json.loads(done.stdout)["findings"]}

    return look


def test_on_this_machine_before_anything_is_up_nothing_fails(found):
    status, findings = found()
    assert status == 0
    assert {subject for subject, one in findings.items() if one["grade"] == "failure"} == set()
    assert findings["Node"]["found"].startswith("24.")
    assert "aws-cdk-lib 2." in findings["CDK"]["found"]
    assert findings["uv"]["found"].startswith("uv ")
    assert findings["processes"]["found"] == "none of ours runs"


def test_the_table_says_the_same_and_lists_what_the_engine_does_not_do(folder, monkeypatch):
    monkeypatch.setenv("TIDEGATE_STATE_DIR", str(folder.path))
    shown = CliRunner().invoke(app, ["doctor"]).stdout
    assert "Python" in shown
    assert "The engine embedded" in shown
    assert "alias weights" in shown


def test_a_state_file_of_another_version_fails_and_says_what_to_do(folder, found):
    folder.path.mkdir(parents=True)
    folder.state_file.write_text("{}")
    status, findings = found()
    assert status == 1
    assert "make down && make up" in findings["state"]["mend"]


def test_an_engine_that_is_gone_fails_and_one_that_answers_is_well(folder, found, running_engine):
    state(endpoint_url="http://127.0.0.1:1").write(folder.state_file)
    status, findings = found()
    assert status == 1
    assert "doesn't answer" in findings["engine"]["found"]
    state(endpoint_url=running_engine.url).write(folder.state_file)
    assert found()[1]["engine"]["grade"] == "ok"


def test_containers_are_among_what_runs(folder, found):
    folder.path.mkdir(parents=True)
    folder.containers_file.write_text(json.dumps(asdict(Containers("p", 1, 2))))
    assert found()[1]["processes"]["found"] == "containers running"


def test_a_process_that_died_is_a_warning(folder, found, registry):
    gone = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], stdout=subprocess.PIPE, check=True)
    registry.record(ManagedProcess("redis", ProcessIdentity(int(gone.stdout), "then"), "redis://", "7"))
    status, findings = found()
    assert (status, findings["processes"]["grade"]) == (0, "warning")
    assert "redis died" in findings["processes"]["found"]


def test_a_redis_url_where_none_answers_fails_and_shows_no_password(found, monkeypatch, redis_url):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        monkeypatch.setenv("REDIS_URL", f"redis://user:secret@127.0.0.1:{nobody.getsockname()[1]}/0")
        status, findings = found()
    assert status == 1
    assert "secret" not in json.dumps(findings)
    monkeypatch.setenv("REDIS_URL", redis_url)
    assert found()[1]["Redis"]["grade"] == "ok"


def test_a_url_is_shown_without_its_password():
    assert without_password("redis://u:p@host:6379/0") == "redis://***@host:6379/0"
    assert without_password("redis://host:6379/0") == "redis://host:6379/0"


@pytest.mark.parametrize(
    ("version", "grade"), [((3, 10, 9), "failure"), ((3, 11, 2), "ok"), ((3, 13, 0), "ok"), ((3, 14, 1), "ok")]
)
def test_pythons(version, grade):
    assert tools.of_python(version).grade == grade


@pytest.mark.parametrize(
    ("cli", "library", "grade"),
    [("2.1", "2.9", "ok"), (None, "2.9", "warning"), ("3.0", "2.9", "failure"), ("2.1", "2.8", "failure")],
)
def test_the_cdk_pair(cli, library, grade):
    assert tools.of_cdk_pair("2.1", cli, "2.9", library).grade == grade


@pytest.mark.parametrize(("free", "grade"), [(0.5, "failure"), (2, "warning"), (20, "ok")])
def test_disk(free, grade):
    assert machine.of_disk(int(free * GB)).grade == grade


def test_ports():
    assert machine.of_port(4566, ours=False).grade == "ok"
    assert machine.of_port(4567, ours=False).grade == "warning"
    assert machine.of_port(4567, ours=True).grade == "ok"


@pytest.mark.parametrize(
    ("given", "server", "here", "wheel", "compiler", "grade"),
    [
        (("redis://there", "redis 7"), None, None, False, False, "ok"),
        (("redis://there", None), "redis 7", "redis-server 7", True, True, "failure"),
        (None, "redis-server 7", None, False, False, "ok"),
        (None, None, "valkey-server 9", False, False, "ok"),
        (None, None, None, True, False, "ok"),
        (None, None, None, False, True, "warning"),
        (None, None, None, False, False, "failure"),
    ],
)
def test_where_a_redis_comes_from(given, server, here, wheel, compiler, grade):
    assert machine.of_redis(given, server, here, wheel=wheel, compiler=compiler).grade == grade


def test_another_engine_than_the_one_that_was_started():
    assert running.of_engine(state(), Health("localstack", "4.14.0")).grade == "failure"
    assert running.of_engine(state(), Health("ministack", "1")).grade == "ok"


@pytest.mark.parametrize(
    ("environ", "engine", "grade"),
    [
        ({}, None, "ok"),
        ({}, ENGINE, "warning"),
        ({"AWS_ENDPOINT_URL": ENGINE}, ENGINE, "ok"),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:4999"}, ENGINE, "warning"),
        ({"AWS_ENDPOINT_URL": "https://example.com"}, None, "failure"),
    ],
)
def test_where_a_deploy_by_hand_goes(environ, engine, grade):
    assert account.of_endpoint(environ, engine, credentials=False).grade == grade


def test_credentials():
    assert account.of_credentials(None).grade == "ok"
    assert "from env" in account.of_credentials("env").found
    assert account.of_credentials(ProfileNotFound(profile="gone")).grade == "warning"


@pytest.mark.parametrize(
    ("arguments", "environ", "warned"),
    [
        (["deploy"], {}, True),
        (["deploy", "-c", "stage=local"], {}, True),
        (["deploy", "-c", "stage=aws"], {}, False),
        (["deploy", "--context=stage=aws"], {}, False),
        (["deploy"], {"AWS_ENDPOINT_URL": ENGINE}, False),
        (["synth"], {}, False),
        ([], {}, False),
    ],
)
def test_a_deploy_of_the_local_stage_that_goes_to_aws_is_warned_of(arguments, environ, warned):
    told = account.unmeant_account(arguments, environ)
    assert (told is not None) == warned
    if told:
        assert "AWS_ENDPOINT_URL" in told


@pytest.mark.slow
def test_bash_completes_commands_and_options():
    environ = {**os.environ, "_TIDEGATE_COMPLETE": "complete_bash", "COMP_CWORD": "1"}
    tidegate = [sys.executable, "-c", "from tidegate_local.cli.commands import app; app(prog_name='tidegate')"]

    def completed(words):
        asked = {**environ, "COMP_WORDS": words, "COMP_CWORD": str(len(words.split(" ")) - 1)}
        return subprocess.run(tidegate, env=asked, stdout=subprocess.PIPE, text=True, check=False).stdout.split()

    assert {"doctor", "down"} <= set(completed("tidegate do"))
    assert "--json" in completed("tidegate doctor --")

import dataclasses
import json
import subprocess
import sys

import pytest

from tidegate_local import layout
from tidegate_local.errors import BusyError, ProjectError, StateError
from tidegate_local.files import write_atomically
from tidegate_local.layout import StateFolder, exclusive, project_folder
from tidegate_local.processes import ProcessIdentity
from tidegate_local.registry import ManagedProcess, ProcessRegistry
from tidegate_local.state import LocalState

STATE = LocalState(
    api_url="http://127.0.0.1:4566/_aws/execute-api/a/api",
    endpoint_url="http://127.0.0.1:4566",
    redis_url="redis://127.0.0.1:6379/0",
    engine="embedded",
    api_keys={"free": "f", "pro": "p", "internal": "i"},
    pids={"redis": 1, "engine": 2},
    outputs={"ApiId": "a"},
    started_at="2026-11-23T12:00:00+00:00",
    deployed="digest",
    stack_version="id@time",
    versions={"engine": "1"},
)


def test_what_is_written_is_read(folder):
    STATE.write(folder.state_file)
    assert LocalState.read(folder.state_file) == STATE
    assert set(json.loads(folder.state_file.read_text())) >= {
        "api_url",
        "endpoint_url",
        "redis_url",
        "engine",
        "api_keys",
        "pids",
    }


def test_the_keys_in_it_are_for_its_owner_only(folder):
    STATE.write(folder.state_file)
    dataclasses.replace(STATE, engine="external").write(folder.state_file)
    assert folder.state_file.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in folder.path.iterdir()] == ["state.json"]


def test_a_write_that_fails_leaves_the_former_file(folder):
    STATE.write(folder.state_file)
    with pytest.raises(TypeError):
        write_atomically(folder.state_file, {"unwritable": object()})
    assert LocalState.read(folder.state_file) == STATE
    assert [file.name for file in folder.path.iterdir()] == ["state.json"]


def test_without_a_file_there_is_no_state(folder):
    assert LocalState.read(folder.state_file) is None
    with pytest.raises(StateError, match="Start it with `make up`"):
        LocalState.require(folder.state_file)


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"api_url": "x"}', '{"another": 1}'])
def test_a_file_of_another_form_is_not_guessed_at(folder, content):
    folder.path.mkdir()
    folder.state_file.write_text(content)
    with pytest.raises(StateError, match="make down && make up"):
        LocalState.read(folder.state_file)


def test_the_folder_is_in_the_repository_or_where_the_environment_says(monkeypatch, tmp_path):
    monkeypatch.delenv("TIDEGATE_STATE_DIR", raising=False)
    assert StateFolder.from_environ() == StateFolder(project_folder() / ".tidegate")
    monkeypatch.setenv("TIDEGATE_STATE_DIR", str(tmp_path))
    assert StateFolder.from_environ() == StateFolder(tmp_path)


@pytest.mark.parametrize("content", ["", "[1]", '{"redis": {}}', '{"redis": 3}', '{"redis": {"identity": {}}}'])
def test_a_process_file_of_another_form_claims_nothing(folder, content):
    folder.path.mkdir()
    folder.processes_file.write_text(content)
    assert ProcessRegistry(folder.processes_file).all() == ()


def test_a_process_on_record_that_is_gone_is_not_running(folder):
    registry = ProcessRegistry(folder.processes_file)
    process = ManagedProcess("redis", ProcessIdentity(2**22 + 1, "then"), "redis://", "any")
    registry.record(process)
    assert registry.find("redis") == process
    assert registry.running("redis") is None
    assert registry.stop("redis") is False
    assert not folder.processes_file.exists()


def test_two_commands_at_once_are_one_too_many(folder):
    script = f"""
from pathlib import Path
from tidegate_local.layout import exclusive
with exclusive(Path({str(folder.path / "lock")!r}), "any"):
    print("held", flush=True)
    input()
"""
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(BusyError, match="is at work"), exclusive(folder.path / "lock", "at work"):
            pytest.fail("it was held")
        holder.stdin.write("\n")
        holder.stdin.close()
        with exclusive(folder.path / "lock", "at work", wait_s=10):
            pass


def test_a_tier_that_the_stage_does_not_have_is_named(folder):
    assert STATE.key("pro") == "p"
    with pytest.raises(StateError, match=r"a tier gold, and the stage has free, pro, internal"):
        STATE.key("gold")
    with pytest.raises(StateError, match="the stage has none"):
        dataclasses.replace(STATE, api_keys={}).key("pro")


def test_the_project_is_the_nearest_folder_that_says_so(tmp_path, monkeypatch):
    (tmp_path / "pyproject.toml").write_text("[tool.tidegate]\n")
    (tmp_path / "api" / "deep").mkdir(parents=True)
    (tmp_path / "api" / "pyproject.toml").write_text("[tool.other]\n")
    monkeypatch.chdir(tmp_path / "api" / "deep")
    assert project_folder() == tmp_path
    assert StateFolder.from_environ() == StateFolder(tmp_path / ".tidegate")


def test_a_named_project_wins_and_has_to_be_one(tmp_path, monkeypatch):
    monkeypatch.setenv("TIDEGATE_PROJECT", str(tmp_path))
    with pytest.raises(ProjectError, match=r"TIDEGATE_PROJECT is .* write a project's folder"):
        project_folder()
    (tmp_path / "pyproject.toml").write_text("[tool.tidegate]\n")
    assert project_folder() == tmp_path


def test_outside_of_a_project_there_is_the_checkout_or_a_sentence(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert project_folder() == layout.CHECKOUT
    monkeypatch.setattr(layout, "CHECKOUT", None)
    with pytest.raises(ProjectError, match="make one by `tidegate new NAME`"):
        project_folder()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"endpoint_url": 7}, "endpoint_url is no text"),
        ({"outputs": 5}, "outputs is no table of str"),
        ({"outputs": {"ApiId": 5}}, "outputs is no table of str"),
        ({"pids": {"redis": "12"}}, "pids is no table of int"),
    ],
)
def test_a_value_of_another_type_is_named(folder, wrong, said):
    folder.path.mkdir()
    folder.state_file.write_text(json.dumps({**dataclasses.asdict(STATE), **wrong}))
    with pytest.raises(StateError, match=rf"{said}\). `make down && make up` makes a new one"):
        LocalState.read(folder.state_file)


def test_an_output_that_the_stack_does_not_have_is_named(folder):
    STATE.write(folder.state_file)
    state = LocalState.require(folder.state_file)
    assert state.outputs.get("NoSuchName") is None
    with pytest.raises(StateError, match="no output NoSuchName: `make up` deploys what the project is now"):
        state.outputs["NoSuchName"]
    assert dataclasses.asdict(state)["outputs"] == dict(STATE.outputs)

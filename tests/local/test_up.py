"""What `up` does when something goes wrong; that it works is what tests/e2e begin with."""

import contextlib
import os
import signal
import subprocess
import sys
import time

import httpx
import pytest
from rich.console import Console

from tidegate_local.deployment import deployer as deployment
from tidegate_local.deployment.deployer import Deployer, Stack
from tidegate_local.engines.embedded import Embedded
from tidegate_local.engines.engine import Engine
from tidegate_local.errors import BusyError, DeploymentError, EndpointError
from tidegate_local.layout import exclusive
from tidegate_local.lifecycle import up as bringing_up
from tidegate_local.lifecycle.down import take_down
from tidegate_local.lifecycle.up import bring_up
from tidegate_local.processes import ProcessIdentity, is_running
from tidegate_local.progress import Steps
from tidegate_local.redis import server as redis_server
from tidegate_local.registry import ManagedProcess, ProcessRegistry


def out_of(folder):
    return sorted(path.name for path in folder.path.iterdir())


def fails(*_):
    raise DeploymentError("no")


@pytest.mark.parametrize("error", [DeploymentError("no"), KeyboardInterrupt(), OSError("disk full")])
def test_nothing_half_started_is_left(folder, registry, monkeypatch, error):
    seen = []

    def interrupted(*_):
        seen.extend(registry.all())
        raise error

    monkeypatch.setattr(Deployer, "bootstrap", interrupted)
    with pytest.raises(type(error)):
        bring_up(folder)
    assert {process.name for process in seen} == {"redis", "engine"}
    assert not any(is_running(process.identity) for process in seen)
    assert registry.all() == ()
    assert out_of(folder) == ["lock", "logs"]


def test_what_ran_before_a_failed_up_runs_on(folder, registry, monkeypatch):
    before = redis_server.ensure(folder, registry).process
    monkeypatch.setattr(Deployer, "bootstrap", fails)
    with pytest.raises(DeploymentError):
        bring_up(folder)
    assert [process.name for process in registry.all()] == ["redis"]
    assert is_running(before.identity)


def test_an_unreachable_endpoint_leaves_no_redis_behind(folder, registry):
    with pytest.raises(EndpointError):
        bring_up(folder, endpoint="http://127.0.0.1:1")
    assert registry.all() == ()


def test_two_ups_of_one_cloud_at_once_are_refused(folder):
    with (
        exclusive(folder.path / "lock", "any"),
        pytest.raises(BusyError, match="Wait for it to end"),
    ):
        bring_up(folder)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_command_leaves_nothing_running(folder, registry, number):
    environ = {**os.environ, "TIDEGATE_STATE_DIR": str(folder.path)}
    command = [sys.executable, "-m", "tidegate_local", "up"]
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as up:
        try:
            started = await_both(registry)
        finally:
            up.send_signal(number)
        said, _ = up.communicate(timeout=60)
    assert up.returncode == 130, said
    assert "Interrupted." in said
    assert "Traceback" not in said
    assert not any(is_running(process.identity) for process in started)


def await_both(registry):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        started = registry.all()
        if len(started) == 2:
            return started
        time.sleep(0.05)
    pytest.fail("Redis and the engine were not started within 60 s")


def test_down_stops_both_and_forgets_the_cloud(folder, registry):
    redis = redis_server.ensure(folder, registry).process
    serving = Embedded().ensure(folder, registry).process
    folder.state_file.write_text("{}")
    assert set(take_down(folder)) == {"redis", "engine"}
    assert not is_running(redis.identity)
    assert not is_running(serving.identity)
    assert out_of(folder) == ["lock", "logs"]
    assert take_down(folder) == ()


def test_down_does_not_stop_another_process_of_a_recorded_pid(folder):
    waiting = [sys.executable, "-c", "print('up', flush=True); input()"]
    with subprocess.Popen(waiting, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as bystander:
        bystander.stdout.readline()
        ours = ProcessIdentity(bystander.pid, "before its time")
        ProcessRegistry(folder.processes_file).record(ManagedProcess("redis", ours, "redis://", "any"))
        assert take_down(folder) == ()
        assert bystander.poll() is None
        bystander.communicate("\n")


OUTPUTS = dict.fromkeys(deployment._PLATFORM_OUTPUTS, "any")


@pytest.fixture
def deploys(folder, monkeypatch):
    """A deployer whose engine and CDK are pretended; the list of its deploys."""
    done = []

    def deploy(deployer, context):
        done.append(dict(context))
        return Stack(OUTPUTS, f"version {len(done)}")

    monkeypatch.setattr(Deployer, "bootstrapped", lambda _: True)
    monkeypatch.setattr(Deployer, "outputs", lambda _: {})
    monkeypatch.setattr(Deployer, "deploy", deploy)
    monkeypatch.setattr(Deployer, "current", lambda _: Stack(OUTPUTS, f"version {len(done)}") if done else None)
    return done


@pytest.fixture
def deploy(folder, registry, deploys, monkeypatch):
    """Deploys as `up` does, and remembers it as `up` would."""
    redis = redis_server.ensure(folder, registry)
    serving = Engine("external", "ministack", "http://127.0.0.1:4566", "1")
    monkeypatch.setattr(bringing_up.api_keys, "read", lambda *_: {})

    def deploy():
        steps = Steps(quiet=True)
        former = bringing_up._former(folder)
        stack, sources = bringing_up._deploy(
            Deployer(None, folder, serving.url), bringing_up._context(serving, redis), former, steps
        )
        bringing_up._state(serving, redis, stack, sources).write(folder.state_file)

    return deploy


def test_what_has_not_changed_is_not_deployed_again(deploy, deploys):
    deploy()
    deploy()
    assert len(deploys) == 1
    assert deploys[0]["stage"] == "local"
    assert deploys[0]["redis_url"].startswith("redis://127.0.0.1:")


def test_changed_sources_are_deployed(deploy, deploys, monkeypatch):
    deploy()
    monkeypatch.setattr(bringing_up.fingerprint, "of_deployment", lambda *_: "changed")
    deploy()
    assert len(deploys) == 2


def test_a_stack_that_somebody_else_has_changed_is_deployed_again(deploy, deploys, monkeypatch):
    deploy()
    monkeypatch.setattr(Deployer, "current", lambda _: Stack(OUTPUTS, "changed elsewhere"))
    deploy()
    assert len(deploys) == 2


def test_a_stack_that_went_with_its_engine_is_deployed_again(deploy, deploys, monkeypatch):
    deploy()
    monkeypatch.setattr(Deployer, "current", lambda _: None)
    deploy()
    assert len(deploys) == 2


STEPS = ("Tools", "Engine", "Redis", "Bootstrap", "Deploy", "Seed", "Ready")


class InterruptedSteps(Steps):
    """Ctrl-C as a step begins, or as it ends."""

    at = ("", "")

    @contextlib.contextmanager
    def step(self, name):
        with super().step(name) as step:
            if self.at == (name, "begins"):
                raise KeyboardInterrupt
            yield step
            if self.at == (name, "ends"):
                raise KeyboardInterrupt


@pytest.fixture
def pretended(deploys, monkeypatch):
    """What a deploy leaves is pretended, too; Redis and the engine are real."""
    monkeypatch.setattr(bringing_up.seed, "sow", lambda *_: {})
    monkeypatch.setattr(bringing_up.api_keys, "read", lambda *_: {})
    monkeypatch.setattr(bringing_up, "await_ready", lambda *_: None)
    monkeypatch.setattr(bringing_up.left_undone, "look", lambda *_: None)
    return deploys


@pytest.mark.parametrize(("name", "when"), [*((name, "begins") for name in STEPS), ("Ready", "ends")])
@pytest.mark.usefixtures("pretended")
def test_whoever_interrupts_a_step_can_begin_again(folder, registry, name, when):
    class Interrupted(InterruptedSteps):
        at = (name, when)

    steps = Interrupted(quiet=True)
    with pytest.raises(KeyboardInterrupt):
        bring_up(folder, steps=steps)
    assert list(steps.seconds) == list(STEPS[: STEPS.index(name) + 1])
    assert registry.all() == ()
    assert set(out_of(folder)) <= {"lock", "logs"}
    state = bring_up(folder)
    assert {process.name for process in registry.all()} == {"redis", "engine"}
    assert take_down(folder)
    assert state.engine == "embedded"


@pytest.mark.parametrize("content", ["", "{", '{"api_url": "http://127.0.0.1:1/of/another/version"}', "\0\xff"])
def test_a_stale_or_broken_state_is_begun_over(folder, registry, pretended, content):
    folder.path.mkdir()
    for file in (folder.state_file, folder.processes_file, folder.open_release, folder.containers_file):
        file.write_text(content)
    bring_up(folder)
    assert len(pretended) == 1
    assert {process.name for process in registry.all()} == {"redis", "engine"}
    assert bringing_up.LocalState.require(folder.state_file).engine == "embedded"


def test_a_table_that_was_deleted_is_named_with_what_to_do(folder, registry, pretended, monkeypatch):
    bring_up(folder)
    monkeypatch.setattr(Deployer, "outputs", lambda _: {"TidegateTable": "guard"})
    with pytest.raises(DeploymentError, match=r"in them: guard\. .* `make down && make up`"):
        bring_up(folder)
    assert {process.name for process in registry.all()} == {"redis", "engine"}


def test_what_was_swapped_is_taken_back_before_a_deploy(folder, registry, monkeypatch):
    done = []

    def bootstrapped(_):
        done.append("the deploy begins")
        raise DeploymentError("no")

    monkeypatch.setattr(bringing_up.hot, "put_back", lambda *_: done.append("taken back"))
    monkeypatch.setattr(Deployer, "bootstrapped", bootstrapped)
    with pytest.raises(DeploymentError):
        bring_up(folder)
    assert done == ["taken back", "the deploy begins"]


def test_an_api_that_is_not_ready_is_quoted(running_engine):
    state = bringing_up.LocalState(
        api_url=f"{running_engine.url}/_aws/execute-api/absent/api",
        endpoint_url=running_engine.url,
        redis_url="",
        engine="external",
        api_keys={},
        pids={},
        outputs={},
        started_at="",
        deployed="",
        stack_version="",
    )
    asked = httpx.get(f"{state.api_url}/health/ready")
    with pytest.raises(DeploymentError, match=rf"its last answer: {asked.status_code} "):
        bringing_up.await_ready(state, "/health/ready", within_s=0.3)


def test_steps_are_plain_lines_where_there_is_no_terminal(capsys):
    steps = Steps(Console(force_terminal=False))
    with steps.step("Redis") as step:
        step.note = "redis [bold]at[/bold]"
    with contextlib.suppress(OSError), steps.step("Engine"):
        raise OSError
    first, second = capsys.readouterr().out.splitlines()
    assert first.split() == ["✓", "Redis", first.split()[2], "s", "redis", "[bold]at[/bold]"]
    assert second.startswith("✗ Engine")
    assert set(steps.seconds) == {"Redis", "Engine"}

import contextlib
import os
import signal
import socket
import sys
import time
from pathlib import Path

import httpx
import pytest

from tests.harness.listening import listening_addresses
from tests.local.deployed_function import deploy_function
from tidegate_local import cloud, ports
from tidegate_local.engines import process
from tidegate_local.engines.embedded import Embedded
from tidegate_local.engines.engine import PROCESS
from tidegate_local.engines.external import External
from tidegate_local.errors import EndpointError, StartError
from tidegate_local.processes import is_running
from tidegate_local.registry import ManagedProcess, ProcessRegistry


def test_it_answers_on_loopback_only(running_engine):
    assert httpx.get(f"{running_engine.url}/_localstack/health").json()["version"] == running_engine.version
    listening = listening_addresses(running_engine.process.identity.pid)
    assert listening == {ports.LOOPBACK}


def test_a_second_call_finds_it_running(folder, registry):
    first = Embedded().ensure(folder, registry)
    assert Embedded().ensure(folder, registry) == first


def test_an_engine_of_another_make_is_replaced_at_its_port(folder, registry, monkeypatch):
    first = Embedded().ensure(folder, registry)
    monkeypatch.setattr(Embedded, "build", lambda _: "another")
    second = Embedded().ensure(folder, registry)
    assert second.url == first.url
    assert second.process.identity != first.process.identity
    assert not is_running(first.process.identity)


def test_a_hung_engine_is_replaced(folder, registry, monkeypatch):
    first = Embedded().ensure(folder, registry)
    os.kill(first.process.identity.pid, signal.SIGSTOP)
    monkeypatch.setattr(process, "_PATIENCE_S", 0.5)
    second = Embedded().ensure(folder, registry)
    assert second.process.identity != first.process.identity
    assert not is_running(first.process.identity)


def test_the_next_free_port_is_taken_if_the_first_is_not_free(folder, registry, monkeypatch):
    with socket.create_server((ports.LOOPBACK, 0)) as taken:
        monkeypatch.setattr(process, "PORT", taken.getsockname()[1])
        started = Embedded().ensure(folder, registry)
    assert process.PORT < httpx.URL(started.url).port <= process.PORT + 50


def test_an_engine_that_dies_while_starting_shows_its_last_words(folder, registry, tmp_path, monkeypatch):
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho 'no such module' >&2\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(broken))
    with pytest.raises(StartError, match=r"died while starting(.|\n)*no such module"):
        Embedded().ensure(folder, registry)
    assert registry.all() == ()


def test_an_engine_that_stays_silent_is_stopped(folder, registry, tmp_path, monkeypatch):
    silent = tmp_path / "python"
    silent.write_text("#!/bin/sh\necho $$ > pid\nexec sleep 60\n".replace("pid", str(tmp_path / "pid")))
    silent.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(silent))
    monkeypatch.setattr(Embedded, "start_deadline_s", 0.5)
    monkeypatch.setattr(process, "_POLL_TIMEOUT_S", 0.2)
    with pytest.raises(StartError, match="did not answer within"):
        Embedded().ensure(folder, registry)
    assert registry.all() == ()
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_functions_do_not_see_the_developers_environment(functions, make_function, running_engine):
    # The engine of this module was started with this process's environment, which has these two.
    assert {"AWS_CONFIG_FILE", "PYTEST_VERSION"} <= os.environ.keys()
    make_function("environment", "import os\ndef handler(event, context):\n    return dict(os.environ)\n")
    seen = httpx.Response(200, content=functions.invoke(FunctionName="environment")["Payload"].read()).json()
    assert seen["AWS_ENDPOINT_URL"] == running_engine.url
    assert not {"AWS_CONFIG_FILE", "PYTEST_VERSION", "AWS_EC2_METADATA_DISABLED"} & seen.keys()


def test_a_handler_that_logs_nothing_is_not_made_to_wait(functions, make_function):
    make_function("silent", "def handler(event, context):\n    return 1\n")
    functions.invoke(FunctionName="silent")
    took = []
    for _ in range(30):
        began = time.perf_counter()
        functions.invoke(FunctionName="silent")
        took.append(time.perf_counter() - began)
    # With the engine's own default no call is faster than 50 ms, on any machine.
    assert min(took) < 0.050


def test_what_a_handler_logs_is_kept(functions, make_function):
    make_function("talking", "def handler(event, context):\n    print('a line of', event)\n")
    for number in range(5):
        functions.invoke(FunctionName="talking", Payload=str(number))
    answer = functions.invoke(FunctionName="talking", Payload="5", LogType="Tail")
    assert answer["StatusCode"] == 200


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
def test_function_processes_end_with_the_engine(folder, registry):
    started = Embedded().ensure(folder, registry)
    group = started.process.identity.pid
    with contextlib.closing(cloud.client("lambda", started.url)) as functions:
        deploy_function(functions, "any", "def handler(event, context):\n    return 1\n")
        functions.invoke(FunctionName="any")
    assert len(members(group)) > 1
    registry.stop(PROCESS)
    assert members(group) == []


@pytest.mark.parametrize("url", ["127.0.0.1:4566", "ftp://127.0.0.1", "http://", "nonsense", "http://[::1"])
def test_what_is_no_url_is_no_endpoint(url, folder, registry):
    with pytest.raises(EndpointError, match="is no endpoint"):
        External(url).ensure(folder, registry)


def test_an_unreachable_endpoint_is_named(folder, registry):
    port = ports.free_port()
    with pytest.raises(EndpointError, match=rf"answers at http://127\.0\.0\.1:{port} \(.*refused"):
        External(f"http://127.0.0.1:{port}/").ensure(folder, registry)


def test_an_endpoint_of_something_else_is_refused(folder, registry, redis_server):
    with pytest.raises(EndpointError, match="No LocalStack-compatible endpoint"):
        External(redis_server.url.replace("redis://", "http://")).ensure(folder, registry)


def test_a_running_endpoint_is_attached_to_and_never_stopped(running_engine, folder, registry):
    attached = External(f"{running_engine.url}/").ensure(folder, registry)
    assert (attached.name, attached.url, attached.process) == ("external", running_engine.url, None)
    registry.stop(PROCESS)
    assert is_running(running_engine.process.identity)


def test_our_own_engine_given_as_endpoint_stays_ours(running_engine, folder):
    # Not the `registry` fixture: that would stop what is on record, and the engine is the module's.
    registry = ProcessRegistry(folder.processes_file)
    registry.record(ManagedProcess(PROCESS, running_engine.process.identity, running_engine.url, "any"))
    assert External(running_engine.url).ensure(folder, registry).name == "embedded"


def members(group: int) -> list[int]:
    """The living processes of a process group."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[2]) == group and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found

"""Which engine a command means, and what a container's needs; that engines work is what tests/e2e show on each."""

import dataclasses
import json
import re
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from infra.stages import LOCAL
from tests.local.test_state import STATE
from tidegate_build.targets import CONTAINER
from tidegate_cdk.project.engines import on_engine
from tidegate_local.engines import choice, gaps, health, host_environment
from tidegate_local.engines.external import External
from tidegate_local.engines.health import Health
from tidegate_local.engines.localstack_host import LocalStackHost
from tidegate_local.errors import EndpointError, StartError, ToolMissingError
from tidegate_local.layout import INIT_SCRIPTS, project_folder
from tidegate_local.lifecycle import up
from tidegate_local.redis.server import RedisServer


def up_on(engine):
    return dataclasses.replace(STATE, engine=engine)


@pytest.mark.parametrize(
    ("asked", "former", "chosen"),
    [
        (None, None, "embedded"),
        (None, "embedded", "embedded"),
        (None, "localstack-host", "localstack-host"),
        (None, "localstack", "localstack"),
        (None, "an engine of another version", "embedded"),
        ("embedded", "localstack-host", "embedded"),
        ("localstack-host", "external", "localstack-host"),
        ("localstack", None, "localstack"),
    ],
)
def test_the_named_engine_goes_before_the_one_that_is_up_and_the_embedded(asked, former, chosen):
    assert choice.choose(asked, None, former and up_on(former)).name == chosen


def test_an_endpoint_is_taken_and_stays_the_engine():
    assert choice.choose(None, "http://127.0.0.1:1", up_on("embedded")) == External("http://127.0.0.1:1")
    assert choice.choose(None, None, up_on("external")) == External(STATE.endpoint_url)


@pytest.mark.parametrize(
    ("said", "engine"), [("ENGINE=localstack", '--engine "localstack"'), ("ENDPOINT=http://e", '--endpoint "http://e"')]
)
def test_a_demo_is_played_on_the_engine_that_make_is_told(said, engine):
    def recipe(*words):
        asked = ["make", "--dry-run", "demo", "ARGS=storm", *words]
        return subprocess.run(asked, cwd=project_folder(), capture_output=True, text=True, check=True).stdout

    assert re.search(rf"tidegate up +{engine} +&& \S+/tidegate scenario storm\n", recipe(said))
    assert "tidegate up" not in recipe()


def test_an_unknown_engine_and_two_at_once_are_refused():
    with pytest.raises(EndpointError, match="embedded, localstack-host, localstack"):
        choice.choose("docker", None, None)
    with pytest.raises(EndpointError, match="one of them"):
        choice.choose("embedded", "http://127.0.0.1:1", None)


def test_every_engine_tells_its_gaps_and_an_endpoint_those_of_its_software():
    assert gaps.GAPS.keys() == choice.KINDS.keys()
    names = {engine: {gap.name for gap in found} for engine, found in gaps.GAPS.items()}
    assert gaps.EDGE_THROTTLES in names["localstack-host"] & names["localstack"]
    assert gaps.EDGE_THROTTLES not in names["embedded"]
    assert gaps.of("external", "ministack") == gaps.of("embedded", "ministack")
    assert {gap.name for gap in gaps.of("external", "localstack")} < names["localstack-host"]


@pytest.fixture
def answering():
    """`answering({path: object})` serves them as JSON and returns the URL."""
    servers = []

    def serve(answers):
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200 if self.path in answers else 404)
                self.end_headers()
                self.wfile.write(json.dumps(answers.get(self.path)).encode())

            def log_message(self, *_):
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}"

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


HEALTH = {"/_localstack/health": {"edition": "community", "version": "4.14.0"}}


def init(*, completed=True, state="SUCCESSFUL"):
    scripts = [{"stage": "START", "name": "update_alias.py", "state": state}]
    return {"/_localstack/init": {"completed": {"START": True, "READY": completed}, "scripts": scripts}}


def test_localstack_is_ready_when_its_scripts_have_run(answering):
    assert health.ready(answering(HEALTH | init()), 2) == Health("localstack", "4.14.0")
    assert "at work" in health.ready(answering(HEALTH | init(completed=False)), 2)
    assert "404" in health.ready(answering(HEALTH), 2)


def test_a_script_that_failed_is_named(answering):
    with pytest.raises(StartError, match=r"update_alias\.py failed"):
        health.ready(answering(HEALTH | init(state="ERROR")), 2)


def test_the_software_behind_an_endpoint_is_told(answering, folder, registry):
    found = External(answering(HEALTH)).ensure(folder, registry)
    assert (found.name, found.software, found.title) == ("external", "localstack", "LocalStack 4.14.0")
    light = {"/_localstack/health": {"edition": "light", "version": "1.5.33"}}
    assert External(answering(light)).ensure(folder, registry).software == "ministack"


def test_the_host_engine_keeps_to_loopback_and_its_folder(folder):
    environ = LocalStackHost().environment(folder, 4999)
    assert environ["GATEWAY_LISTEN"] == environ["LOCALSTACK_HOST"] == "127.0.0.1:4999"
    scripts = folder.engine_scratch / "localstack" / "etc" / "localstack" / "init"
    assert scripts.resolve() == INIT_SCRIPTS
    assert list(scripts.glob("start.d/*.py"))
    assert all(environ[name].startswith(str(folder.path)) for name in ("FILESYSTEM_ROOT", "LOCALSTACK_VOLUME_DIR"))


def test_the_host_engines_environment_is_locked_and_named_by_its_contents(tmp_path):
    lock = host_environment.LOCK.read_text(encoding="utf-8")
    assert "localstack-core==4.14.0" in lock
    assert "index-url" not in lock
    pinned = re.findall(r"^[a-z0-9-]+(?:\[.*\])?==.*\\\n(?:.*\n)?", lock, re.MULTILINE)
    assert pinned
    assert all("--hash=sha256:" in entry for entry in pinned)
    sources = tmp_path / "tests" / "sources"
    sources.mkdir(parents=True)
    (sources / "a.py").write_text("1")
    before = host_environment.named([sources])
    for uninstalled in ("tests", ".venv"):
        (sources / uninstalled).mkdir()
        (sources / uninstalled / "b.py").write_text("any")
    assert host_environment.named([sources]) == before
    (sources / "a.py").write_text("2")
    assert host_environment.named([sources]) != before


def test_a_failed_install_is_quoted_and_names_another_engine(monkeypatch, tmp_path):
    uv = tmp_path / "uv"
    uv.write_text("#!/bin/sh\necho 'no such index' >&2\nexit 2\n")
    uv.chmod(0o755)
    monkeypatch.setenv("UV", str(uv))
    monkeypatch.setattr(host_environment, "toolchain_folder", lambda: tmp_path)
    with pytest.raises(ToolMissingError, match=r"no such index(.|\n)*ENGINE=embedded"):
        host_environment.make(tmp_path / "localstack-x")
    assert not (tmp_path / "localstack-x").exists()


def test_functions_in_containers_are_built_for_them_and_reach_a_redis(answering, folder, registry):
    info = {"/_localstack/info": {"is_docker": True}}
    contained = External(answering(HEALTH | info)).ensure(folder, registry)
    reachable = RedisServer("redis://cache.test:6379/0", "redis 7", None)
    assert up._context(contained, reachable)["engine"] == "localstack-containers"
    up._require_reachable(reachable)
    up._require_reachable(RedisServer("redis://127.0.0.1:6379/0", "redis 7", None, inner_url="redis://redis:6379/0"))
    with pytest.raises(EndpointError, match="make up ENGINE=localstack"):
        up._require_reachable(RedisServer("redis://127.0.0.1:6379/0", "redis 7", None))
    assert on_engine(LOCAL, "localstack-containers").target == CONTAINER
    process = External(answering(HEALTH)).ensure(folder, registry)
    assert up._context(process, reachable)["engine"] == "localstack"
    assert on_engine(LOCAL, "localstack").target == LOCAL.target

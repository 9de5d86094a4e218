import json
import os
from dataclasses import asdict

import pytest
import redis

from tidegate_local.engines.containers import Containers
from tidegate_local.errors import BusyError, ScenarioError
from tidegate_local.layout import exclusive
from tidegate_local.redis import server as redis_server
from tidegate_local.scenarios import redis_down
from tidegate_local.scenarios.faults import RedisFaults
from tidegate_local.state import LocalState


@pytest.fixture
def server(folder, registry, monkeypatch):
    named = os.environ.get("TIDEGATE_TEST_REDIS_SERVER")
    if named:
        monkeypatch.setattr(redis_server, "_ON_PATH", (named,))
    started = redis_server.ensure(folder, registry)
    pids = {"redis": started.process.identity.pid, "engine": 1}
    LocalState("", "", started.url, "embedded", {}, pids, {}, "", "", "").write(folder.state_file)
    return started


@pytest.fixture
def faults(folder, server):
    return RedisFaults(folder)


@pytest.fixture
def client(server):
    with redis.Redis.from_url(server.url, socket_timeout=1, socket_connect_timeout=1, retry=None) as made:
        made.set("a", 1)
        yield made


def test_a_killed_one_refuses_and_is_on_record_as_not_running(faults, client, registry):
    faults.kill()
    with pytest.raises(redis.ConnectionError):
        client.ping()
    assert registry.find("redis")
    assert not registry.running("redis")


def test_a_hung_one_never_answers_and_goes_on_with_what_it_knew(faults, client):
    faults.hang()
    with pytest.raises(redis.TimeoutError):
        client.ping()
    faults.heal()
    assert client.get("a") == b"1"


@pytest.mark.parametrize("before", ["kill", "hang", "resume"])
def test_it_comes_back_empty_on_its_port_and_the_state_knows_its_process(before, faults, client, registry, folder):
    getattr(faults, before)()
    faults.restart_empty()
    assert client.dbsize() == 0
    state = LocalState.require(folder.state_file)
    assert state.pids == {"redis": registry.running("redis").identity.pid, "engine": 1}


def test_healing_starts_a_dead_one(faults, client):
    faults.kill()
    faults.heal()
    assert client.dbsize() == 0


def test_nothing_is_done_to_a_redis_of_somebody_elses(folder):
    with pytest.raises(ScenarioError, match="REDIS_URL unset"):
        RedisFaults(folder).kill()


def test_a_container_is_named_with_where_it_can_be_broken(folder):
    folder.path.mkdir()
    folder.containers_file.write_text(json.dumps(asdict(Containers("p", 1, 2))))
    with pytest.raises(ScenarioError, match=r"is a container here.*make up ENGINE=localstack-host"):
        RedisFaults(folder).kill()


def test_a_redis_that_is_not_ours_is_said_before_any_traffic(folder, monkeypatch):
    traffic = []
    monkeypatch.setattr(redis_down, "play_breaking", lambda *said: traffic.append(said))
    with pytest.raises(ScenarioError, match="REDIS_URL unset"):
        redis_down.play(None, None, RedisFaults(folder))
    assert not traffic


def test_a_dead_one_can_not_be_killed(faults):
    faults.kill()
    with pytest.raises(ScenarioError, match="make up"):
        faults.kill()


def test_none_is_started_while_another_command_is_at_work(faults, folder, registry):
    with exclusive(folder.path / "lock", "at work"), pytest.raises(BusyError):
        faults.restart_empty()
    assert registry.running("redis")

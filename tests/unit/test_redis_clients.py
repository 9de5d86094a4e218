"""Which of redis-py's clients `protect` takes, and what it says of others."""

import subprocess
import sys

import fakeredis
import pytest
import redis
import redis.asyncio
from fastapi import FastAPI
from redis.sentinel import Sentinel

from tidegate import ConfigurationError, Settings, protect
from tidegate.compose import compose

SENTINEL = Sentinel([("127.0.0.1", 1)])
CLIENT = redis.Redis(port=1)


@pytest.mark.parametrize(
    "client",
    [redis.Redis(port=1), redis.StrictRedis(port=1), fakeredis.FakeRedis(), SENTINEL.master_for("shop")],
    ids=["Redis", "StrictRedis", "FakeRedis", "a Sentinel's master"],
)
def test_a_client_of_redis_pys_is_taken(client):
    protect(FastAPI(title="Shop"), redis=client)
    assert Settings(redis=client).uses_redis


@pytest.mark.parametrize(
    ("client", "said"),
    [
        (redis.asyncio.Redis(port=1), "event loop"),
        (fakeredis.FakeAsyncRedis(), "event loop"),
        (CLIENT.pipeline(), "can decide"),
        (SENTINEL, "can decide"),
        (SENTINEL.slave_for("shop"), "replica"),
        ("redis://cache:6379", "can decide"),
        (CLIENT.connection_pool, "can decide"),
    ],
    ids=["asyncio", "fake asyncio", "pipeline", "Sentinel", "replica", "URL", "pool"],
)
def test_anything_else_is_refused_at_once_with_what_to_pass(client, said):
    with pytest.raises(ConfigurationError, match=f"{said}.*redis.Redis.*Sentinel.master_for") as raised:
        protect(FastAPI(title="Shop"), redis=client)
    assert raised.value.name == "protect(redis=…)"


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"TIDEGATE_REDIS_URL": "redis://cache:6379"}, "TIDEGATE_REDIS_URL"),
        ({"TIDEGATE_REDIS_CLUSTER": "1"}, "TIDEGATE_REDIS_CLUSTER"),
        ({"TIDEGATE_REDIS_IAM_USER": "app", "TIDEGATE_REDIS_IAM_CACHE": "cache"}, "TIDEGATE_REDIS_IAM_USER"),
        ({"TIDEGATE_STORE": "memory"}, "TIDEGATE_STORE"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_setting_that_says_something_else_is_refused_beside_a_client(variables, named):
    with pytest.raises(ConfigurationError, match="client") as raised:
        Settings.from_environ(variables, CLIENT)
    assert raised.value.name == named


def test_settings_tell_nothing_of_a_client():
    client = redis.Redis(port=1, password="hunter2")
    assert "hunter2" not in repr(Settings(redis=client))


def test_the_namespace_is_made_of_the_title_as_with_a_url():
    by_url = Settings(redis_url="redis://cache").named_after("Shop")
    assert Settings(redis=CLIENT).named_after("Shop").namespace == by_url.namespace


def test_each_kind_of_client_asks_as_its_kind_does():
    assert not compose(Settings(redis=fakeredis.FakeRedis())).stores._handles[0].store.target.cluster


def test_nothing_of_redis_pys_is_imported_where_no_client_is_passed():
    code = "import sys, tidegate; tidegate.Settings(memory_only=True); sys.exit('redis' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

"""It refuses what ElastiCache Serverless refuses, and says so whatever a script does with the error."""

import time
from contextlib import nullcontext

import pytest
import redis as driver

from tests.harness.iam_tokens import IamTokens
from tests.harness.serverless_redis import ServerlessRedis
from tidegate.redis_driver.elasticache_iam import IamCredentials


@pytest.fixture(scope="module")
def serverless():
    with ServerlessRedis() as running:
        yield running


@pytest.fixture
def client(serverless):
    serverless.heal()
    provider = IamCredentials("app", "cache", region="us-east-1")
    with driver.Redis.from_url(serverless.url, credential_provider=provider, protocol=2) as made:
        yield made


def test_what_is_declared_is_done(client, serverless):
    assert client.eval("return redis.call('INCR', KEYS[1])", 1, "tidegate:{a}:1") == 1
    assert client.get("tidegate:{a}:1") == b"1"
    assert client.execute_command("CLUSTER", "SLOTS")[0][:2] == [0, 16_383]
    assert serverless.denied() == []


def test_a_script_without_keys_is_refused(client, serverless):
    with pytest.raises(driver.ResponseError, match="without any input keys"):
        client.eval("return 1", 0)
    assert serverless.denied() == ["EVAL without keys"]


@pytest.mark.parametrize("call", ["call", "pcall"])
def test_an_undeclared_key_is_refused_and_never_unnoticed(client, serverless, call):
    code = f"local done = redis.{call}('SET', KEYS[1] .. ':more', 1); return 1"
    with nullcontext() if call == "pcall" else pytest.raises(driver.ResponseError, match="can't access"):
        client.eval(code, 1, "tidegate:{a}:1")
    assert serverless.server.command("EXISTS", "tidegate:{a}:1:more") == 0
    assert serverless.denied() == ["key tidegate:{a}:1:more (lua)"]


def test_a_declared_pattern_is_no_pattern(client, serverless):
    with pytest.raises(driver.ResponseError):
        client.eval("return redis.call('SET', 'tidegate:{a}:x', 1)", 1, "tidegate:{a}:*")
    assert serverless.denied() == ["key tidegate:{a}:x (lua)"]


@pytest.mark.parametrize(
    "command",
    [
        ("GET", "others:1"),
        ("FLUSHALL",),
        ("CONFIG", "GET", "*"),
        ("KEYS", "*"),
        ("CLUSTER", "INFO"),
        ("PUBLISH", "a", 1),
    ],
)
def test_a_command_beyond_the_access_string_is_refused(client, serverless, command):
    with pytest.raises(driver.ResponseError):
        client.execute_command(*command)
    assert serverless.denied()


def test_a_request_of_too_many_words_is_refused(client):
    with pytest.raises(driver.ResponseError, match="too many arguments"):
        client.execute_command("DEL", *["tidegate:{a}"] * 4000)


def test_a_token_counts_for_its_user_cache_keys_and_quarter_of_an_hour(monkeypatch):
    tokens = IamTokens()

    def accepts(user="app", cache="cache", region="us-east-1", key="test"):
        environ = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": key}
        return tokens.accepts("app", IamCredentials(user, cache, region=region, environ=environ).get_credentials()[1])

    assert accepts()
    assert not accepts(user="other")
    assert not accepts(cache="other")
    assert not accepts(region="eu-west-1")
    assert not accepts(key="other")
    now = time.time()
    monkeypatch.setattr("tidegate.redis_driver.elasticache_iam.time", lambda: now - 901)
    assert not accepts()


@pytest.mark.parametrize("token", ["", "cache/", "cache/?X-Amz-Date=now&X-Amz-Expires=900"])
def test_what_is_no_token_is_refused(token):
    assert not IamTokens().accepts("app", token)


def test_nobody_is_served_unsigned(serverless):
    serverless.heal()
    with driver.Redis.from_url(serverless.url, protocol=2) as client, pytest.raises(driver.AuthenticationError):
        client.get("tidegate:{a}:1")

"""Settings that are made in code are checked as the environment's are, and what Lambda says holds for both."""

import os
from dataclasses import FrozenInstanceError, fields, replace

import pytest

from tidegate import ConfigurationError, Settings
from tidegate.identity.proxies import TrustedProxies
from tidegate.settings import VARIABLES

QUEUE = "https://sqs.eu-central-1.amazonaws.com/123456789012/orders.fifo"


ON_LAMBDA = {"AWS_LAMBDA_FUNCTION_NAME": "api", "AWS_LAMBDA_FUNCTION_VERSION": "42", "TMPDIR": "/scratch"}
WRONG_IN_CODE = {
    "redis_url": ["localhost:6379", "", b"redis://localhost", 6379],
    "redis": ["redis://cache", 1, object()],
    "redis_cluster": ["0", 1, None],
    "redis_iam_user": ["", "the app", 7],
    "redis_iam_cache": ["", 7],
    "table": ["my table", "", 7, "t" * 256],
    "memory_only": ["memory", 1],
    "namespace": ["", "a{b}", "n" * 33, None, 7, "--"],
    "log_sample": [0, -0.1, 1.1, "0.5", True, None],
    "redis_timeout_ms": [0, 10_001, 5.0, "5", True],
    "decision_budget_ms": [9, 10_001, 60.0, "60", True, None],
    "principal_secret": [None, b"pepper", 7],
    "trust_api_key_header": ["1", 1, None],
    "idempotency_lifetime_ms": [0, 999, -1, "24h", 10**16, 1.5],
    "region": ["", "eu central", "-eu", 1, "1", "e" * 64],
    "fleet_size": [0, 100_001, "8", 1.0, True],
    "shadow_share": [-0.1, 1.1, float("nan"), float("inf"), "0.5", True, None],
    "shed": ["yes", "", None, True],
    "capacity": [0, -1, 1_000_001, "many", True],
    "concurrency": [0, 1.5, True],
    "shed_in_flight": [0, 2.1, float("nan"), "0.9"],
    "shed_wait_ms": [(50, 5), (5, 5), (-1, 5), (1,), (1, 2, 3), [1, 2], "1-2", 5, (1.0, 2.0), (0, 600_001), None],
    "shed_store_ms": [(True, 5)],
    "shed_database_ms": [("1", "2")],
    "queue_url": ["", "orders.fifo", "https://sqs.example.com/1/orders", 7],
    "dead_letter_url": ["orders.fifo"],
    "queue_expiry_ms": [999, 345_600_001, "1h"],
    "queue_bound": [0, 1001, "100"],
    "queue_bound_of_all": [0, 100_001, "100"],
    "cache_bytes": [-1, 2**40 + 1, 1.0],
    "release": ["", None, 42],
    "counted_as": [("api",), "api", ("api", 42), ("", "42"), ["api", "42"]],
    "on_lambda": [None, "1"],
    "trusted_proxies": [
        "1",
        1,
        TrustedProxies(0),
        TrustedProxies(17),
        TrustedProxies(True),
        TrustedProxies(1, (), b"x"),
    ],
    "time_zone_claim": ["", "zone info", 7],
    "body_timeout_ms": [999, 3_600_001, "20s"],
    "body_bytes_per_s": [0, -1, 1.5],
    "bodies_per_principal": [0, True],
    "bodies": [0, 1_000_001],
    "replay_bytes_per_s": [-1, None],
    "cache_redis_bytes": [-1, 2**40 + 1],
    "cache_caller_bytes": [-1, "16M"],
    "scratch": ["", 7],
    "web_adapter": [None, "1"],
}


def test_every_setting_has_wrong_values_here():
    assert WRONG_IN_CODE.keys() == {field.name for field in fields(Settings)}


@pytest.mark.parametrize(
    ("argument", "value"), [(name, value) for name in WRONG_IN_CODE for value in WRONG_IN_CODE[name]]
)
def test_code_is_checked_as_the_environment_is(argument, value):
    right = {} if argument in {"redis_url", "redis", "memory_only"} else {"redis_url": "redis://cache"}
    with pytest.raises(ConfigurationError) as raised:
        Settings(**right, **{argument: value})
    assert raised.value.name == f"Settings({argument}=…)"
    assert argument in {"redis", "region", "counted_as", "on_lambda", "scratch"} or any(
        variable in str(raised.value) for variable in VARIABLES
    )


def test_an_error_in_code_names_the_argument_and_the_variable():
    with pytest.raises(ConfigurationError) as raised:
        Settings(memory_only=True, decision_budget_ms=5)
    for said in ("decision_budget_ms", "TIDEGATE_DECISION_BUDGET_MS", "from 10 to 10000"):
        assert said in str(raised.value)


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"memory_only": True, "table": "claims"},
        {"redis_url": "redis://cache", "redis_iam_user": "app"},
        {"redis_url": "redis://cache", "redis_iam_cache": "cache-1"},
        {"table": "claims", "queue_url": QUEUE, "dead_letter_url": QUEUE},
        {"memory_only": True, "web_adapter": True},
    ],
)
def test_what_excludes_each_other_is_refused_in_code_too(arguments):
    with pytest.raises(ConfigurationError, match=r"Settings\(\w+=…\): .*TIDEGATE_"):
        Settings(**arguments)


def test_a_changed_copy_is_checked_again():
    settings = Settings(memory_only=True)
    with pytest.raises(ConfigurationError, match="capacity"):
        replace(settings, capacity=0)
    with pytest.raises(FrozenInstanceError):
        settings.capacity = 5
    assert not hasattr(settings, "__dict__")


def test_no_message_tells_a_secret():
    for secret in ("redis:/:hunter2@cache", b"hunter2"):
        with pytest.raises(ConfigurationError) as raised:
            Settings(redis_url=secret)
        assert "hunter2" not in str(raised.value)
    with pytest.raises(ConfigurationError) as raised:
        Settings(memory_only=True, principal_secret=b"hunter2")
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize("by", ["code", "environment"])
def test_both_ways_know_that_lambda_runs_this_process(by):
    os.environ.update(ON_LAMBDA, AWS_REGION="eu-central-1")
    settings = Settings(memory_only=True) if by == "code" else read_whole(TIDEGATE_STORE="memory")
    assert settings.on_lambda
    assert (settings.scratch, settings.release, settings.region) == ("/scratch", "42", "eu-central-1")
    assert settings.counted_as == ("api", "42")


@pytest.mark.parametrize("by", ["code", "environment"])
def test_managed_instances_run_on_between_requests(by):
    os.environ.update(ON_LAMBDA, AWS_LAMBDA_INITIALIZATION_TYPE="lambda-managed-instances")
    settings = Settings(memory_only=True) if by == "code" else read_whole(TIDEGATE_STORE="memory")
    assert not settings.on_lambda
    assert settings.release == "42"
    assert settings.scratch is None, "the processes of one environment share the folder"


def test_an_argument_wins_over_what_lambda_says():
    os.environ.update(ON_LAMBDA)
    given = {"on_lambda": False, "scratch": None, "counted_as": None, "region": None, "release": "blue"}
    settings = Settings(memory_only=True, **given)
    assert {name: getattr(settings, name) for name in given} == given


def read_whole(**variables: str) -> Settings:
    return Settings.from_environ({**os.environ, **variables})

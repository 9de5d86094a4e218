"""Which service's state it is: the namespace where nobody has chosen one."""

import io
import json
import os
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate import ConfigurationError, Settings
from tidegate.compose import compose
from tidegate.outcomes.tally import Source
from tidegate.service_name import namespace_of
from tidegate.telemetry import structured_logger

REDIS = "redis://cache:6379/0"
QUEUE = "https://sqs.eu-central-1.amazonaws.com/123456789012/orders.fifo"


def of(title="FastAPI", **settings):
    return Settings(redis_url=REDIS, **settings).named_after(title).namespace


@pytest.fixture
def log():
    stream = io.StringIO()
    structured_logger().registered_handler.setStream(stream)
    return lambda: [json.loads(line) for line in stream.getvalue().splitlines()]


def test_services_are_told_apart_by_their_titles():
    assert len({of("Orders"), of("Payments"), of("orders"), of("Orders API")}) == 4


def test_a_namespace_can_be_read():
    assert of("Tidegate's shop").startswith("tidegate-s-shop-")


def test_processes_and_releases_of_a_service_have_one_namespace():
    names = set()
    for function, version in (("shop-api", "41"), ("shop-api", "42"), ("shop-worker", "$LATEST")):
        os.environ.update(AWS_LAMBDA_FUNCTION_NAME=function, AWS_LAMBDA_FUNCTION_VERSION=version)
        names.add(of("Shop", queue_url=QUEUE))
    del os.environ["AWS_LAMBDA_FUNCTION_NAME"]
    names.add(of("Shop "))
    assert len(names) == 1


def test_an_untitled_function_goes_by_its_name():
    os.environ.update(AWS_LAMBDA_FUNCTION_NAME="orders-api", AWS_LAMBDA_FUNCTION_VERSION="42")
    assert of() == namespace_of("orders-api")
    os.environ["AWS_LAMBDA_FUNCTION_VERSION"] = "43"
    assert of() == namespace_of("orders-api")


def test_an_untitled_function_with_a_queue_is_told_to_name_its_service():
    os.environ["AWS_LAMBDA_FUNCTION_NAME"] = "orders-api"
    with pytest.raises(ConfigurationError) as raised:
        of(queue_url=QUEUE)
    assert raised.value.name == "TIDEGATE_NAMESPACE"
    assert "FastAPI(title=…)" in str(raised.value)
    assert of(queue_url=QUEUE, namespace="orders") == "orders"


def test_what_is_counted_is_found_without_the_application():
    settings = Settings(redis_url=REDIS, counted_as=("api", "7")).named_after("Shop")
    assert compose(settings).outcomes.tally.source == Source("default", "api", "7")
    assert compose(replace(settings, namespace="mine")).outcomes.tally.source.namespace == "mine"


def test_what_was_chosen_stays():
    assert of("Shop", namespace="mine") == "mine"
    assert of("Shop", namespace="default") == "default"
    chosen = Settings.from_environ({"TIDEGATE_REDIS_URL": REDIS, "TIDEGATE_NAMESPACE": "default"})
    assert chosen.named_after("Shop").namespace == "default"


def test_a_changed_copy_is_still_without_a_name():
    settings = replace(Settings(redis_url=REDIS), decision_budget_ms=80)
    assert settings.namespace == "default"
    assert settings.named_after("Shop").namespace == of("Shop")


def test_a_server_without_any_name_is_told_what_to_write(log):
    assert of() == "default"
    (line,) = log()
    assert line["level"] == "WARNING"
    assert "TIDEGATE_NAMESPACE=" in line["message"]
    assert "FastAPI(title=…)" in line["message"]


def test_a_process_alone_needs_no_name(log):
    assert Settings(memory_only=True).named_after("FastAPI").namespace == "default"
    assert log() == []


@given(st.text(min_size=1))
def test_any_name_makes_a_namespace_that_is_taken(name):
    assert Settings(redis_url=REDIS, namespace=namespace_of(name)).namespace == namespace_of(name)

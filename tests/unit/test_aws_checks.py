"""What AWS's clients would refuse at the first request is refused at start, by its variable's name."""

import os
from dataclasses import replace

import pytest

from tidegate import ConfigurationError, Settings
from tidegate.compose import compose

QUEUE = "https://sqs.eu-central-1.amazonaws.com/123456789012/orders.fifo"
ARN = "arn:aws:dynamodb:eu-central-1:123456789012:table/claims"
SHARED = Settings(table="claims", region="eu-central-1")
IAM = {"redis_url": "rediss://cache:6379", "redis_iam_user": "app", "redis_iam_cache": "cache"}


@pytest.fixture(autouse=True)
def nowhere(monkeypatch, tmp_path):
    """No region but what a test says."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    return tmp_path / "config"


def refused(settings, variable):
    with pytest.raises(ConfigurationError) as raised:
        compose(settings)
    assert raised.value.name == variable
    assert "write" in str(raised.value) or "set" in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize(
    "settings",
    [{"table": "claims"}, {"redis_url": "redis://cache", "queue_url": QUEUE}, IAM],
    ids=["table", "queue", "iam"],
)
def test_no_region_is_refused_where_aws_is_asked(settings):
    refused(Settings(**settings), "AWS_REGION")


@pytest.mark.parametrize("settings", [{"redis_url": "redis://cache"}, {"memory_only": True}], ids=["redis", "memory"])
def test_nobody_else_needs_a_region(settings):
    os.environ["AWS_ENDPOINT_URL"] = "nowhere"
    compose(Settings(**settings))


@pytest.mark.parametrize("profile", ["default", "shop"])
def test_a_profiles_region_is_one(profile, nowhere, monkeypatch):
    nowhere.write_text("[default]\nregion = eu-west-1\n[profile shop]\nregion = eu-central-1\n[profile bare]\n")
    monkeypatch.setenv("AWS_PROFILE", profile)
    compose(Settings(table="claims"))
    monkeypatch.setenv("AWS_PROFILE", "bare")
    refused(Settings(table="claims"), "AWS_REGION")


@pytest.mark.parametrize("text", ["[default", "\x00\xff", "region = eu-west-1"])
def test_a_config_file_that_cannot_be_read_says_nothing(text, nowhere):
    nowhere.write_text(text, encoding="latin-1")
    refused(Settings(table="claims"), "AWS_REGION")


def test_botocores_own_variable_is_enough(monkeypatch):
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    compose(Settings(table="claims"))


@pytest.mark.parametrize("variable", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL_SQS"])
@pytest.mark.parametrize("url", ["localhost:4566", "127.0.0.1", "ftp://localhost", "http://", "http://localhost:port"])
def test_an_endpoint_that_is_none_is_refused_by_name(variable, url, monkeypatch):
    monkeypatch.setenv(variable, url)
    refused(SHARED, variable)


def test_a_queue_or_table_in_another_region_is_refused():
    elsewhere = QUEUE.replace("eu-central-1", "us-east-1")
    assert "AWS_REGION=us-east-1" in refused(replace(SHARED, queue_url=elsewhere), "TIDEGATE_QUEUE_URL")
    refused(replace(SHARED, queue_url=QUEUE, dead_letter_url=elsewhere), "TIDEGATE_DEAD_LETTER_URL")
    refused(replace(SHARED, queue_url="https://us-east-1.queue.amazonaws.com/1/orders.fifo"), "TIDEGATE_QUEUE_URL")
    refused(Settings(table=ARN, region="us-east-1"), "TIDEGATE_TABLE")


@pytest.mark.parametrize(
    "url", [QUEUE, "http://127.0.0.1:4566/0/q.fifo", "http://sqs.us-east-1.localhost.localstack.cloud:4566/0/q.fifo"]
)
def test_a_queue_there_or_on_an_engine_is_taken(url):
    compose(replace(SHARED, queue_url=url))
    compose(Settings(table=ARN, region="eu-central-1"))


def test_iam_signs_in_over_tls_alone():
    assert "rediss://" in refused(Settings(**{**IAM, "redis_url": "redis://cache:6379"}), "TIDEGATE_REDIS_URL")
    iam_alone = {name: value for name, value in IAM.items() if name != "redis_url"}
    refused(Settings(table="claims", region="eu-central-1", **iam_alone), "TIDEGATE_REDIS_IAM_USER")


@pytest.mark.parametrize("option", ["ssl_ca_certs", "ssl_certfile"])
def test_certificates_that_are_not_there_are_refused(option, tmp_path):
    url = f"rediss://cache:6379?{option}={tmp_path / 'none.pem'}"
    refused(Settings(redis_url=url), "TIDEGATE_REDIS_URL")

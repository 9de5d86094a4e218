"""Every TIDEGATE_* variable: what it takes, and what is said of anything else."""

import pytest

from tidegate import ConfigurationError, Settings
from tidegate.compose import compose

ARN = "arn:aws:dynamodb:eu-central-1:123456789012:table/claims"
QUEUE = "https://sqs.eu-central-1.amazonaws.com/123456789012/orders.fifo"
REDIS = {"TIDEGATE_REDIS_URL": "redis://localhost:6379/0"}


def read(**variables: str) -> Settings:
    return Settings.from_environ(REDIS | {f"TIDEGATE_{name}": value for name, value in variables.items()})


def test_what_is_left_out_has_a_default():
    settings = Settings.from_environ(REDIS)
    assert settings == Settings(redis_url="redis://localhost:6379/0")
    assert (settings.namespace, settings.decision_budget_ms, settings.release) == ("default", 60, "local")
    assert settings.idempotency_lifetime_ms == 86_400_000
    flags = (settings.redis_cluster, settings.trust_api_key_header, settings.memory_only, settings.on_lambda)
    assert flags == (False,) * 4


@pytest.mark.parametrize(
    ("variable", "text", "attribute", "value"),
    [
        ("REDIS_URL", "rediss://cache:6379", "redis_url", "rediss://cache:6379"),
        ("REDIS_URL", " redis://cache:6379 ", "redis_url", "redis://cache:6379"),
        ("REDIS_URL", "unix:///run/redis.sock", "redis_url", "unix:///run/redis.sock"),
        ("REDIS_CLUSTER", "1", "redis_cluster", True),
        ("REDIS_CLUSTER", "true", "redis_cluster", True),
        ("REDIS_CLUSTER", "No", "redis_cluster", False),
        ("TABLE", "claims", "table", "claims"),
        ("TABLE", " claims ", "table", "claims"),
        ("TABLE", "eu_1.claims-2", "table", "eu_1.claims-2"),
        ("TABLE", ARN, "table", ARN),
        ("NAMESPACE", "shop-2_eu", "namespace", "shop-2_eu"),
        ("NAMESPACE", "n" * 32, "namespace", "n" * 32),
        ("DECISION_BUDGET_MS", "10", "decision_budget_ms", 10),
        ("DECISION_BUDGET_MS", "10000", "decision_budget_ms", 10_000),
        ("REDIS_TIMEOUT_MS", "5", "redis_timeout_ms", 5),
        ("PRINCIPAL_SECRET", "s3cret", "principal_secret", "s3cret"),
        ("TRUST_API_KEY_HEADER", "1", "trust_api_key_header", True),
        ("TRUST_API_KEY_HEADER", "0", "trust_api_key_header", False),
        ("TRUST_API_KEY_HEADER", "", "trust_api_key_header", False),
        ("PRINCIPAL_SECRET", " s3cret ", "principal_secret", " s3cret "),
        ("IDEMPOTENCY_LIFETIME", "1h", "idempotency_lifetime_ms", 3_600_000),
        ("QUEUE_URL", QUEUE, "queue_url", QUEUE),
        (
            "DEAD_LETTER_URL",
            "http://127.0.0.1:4566/0/dead.fifo",
            "dead_letter_url",
            "http://127.0.0.1:4566/0/dead.fifo",
        ),
        ("QUEUE_EXPIRY", "4d", "queue_expiry_ms", 345_600_000),
        ("QUEUE_BOUND", "1000", "queue_bound", 1000),
        ("CACHE_BYTES", "0", "cache_bytes", 0),
        ("FLEET_SIZE", "100000", "fleet_size", 100_000),
        ("SHADOW_SHARE", "1", "shadow_share", 1.0),
        ("RELEASE", "2026-11", "release", "2026-11"),
        ("SHED", "on", "shed", "on"),
        ("SHED", "shadow", "shed", "shadow"),
        ("SHED", "off", "shed", "off"),
        ("CAPACITY", "100", "capacity", 100),
        ("CONCURRENCY", "1", "concurrency", 1),
        ("SHED_IN_FLIGHT", "0.75", "shed_in_flight", 0.75),
        ("SHED_IN_FLIGHT", "1.2", "shed_in_flight", 1.2),
        ("SHED_WAIT_MS", "50-250", "shed_wait_ms", (50, 250)),
        ("SHED_STORE_MS", "0-1", "shed_store_ms", (0, 1)),
        ("SHED_DATABASE_MS", "100-600000", "shed_database_ms", (100, 600_000)),
    ],
)
def test_a_good_value_is_taken(variable, text, attribute, value):
    assert getattr(read(**{variable: text}), attribute) == value


@pytest.mark.parametrize(
    ("variable", "text", "advice"),
    [
        ("REDIS_URL", "localhost:6379", "write redis://HOST:6379/0, or rediss:// for TLS"),
        ("REDIS_URL", "http://localhost", "write redis://"),
        ("REDIS_CLUSTER", "maybe", "write 1 or 0"),
        ("TRUST_API_KEY_HEADER", "2", "write 1 or 0"),
        ("COUNT_OUTCOMES", "often", "write 1 or 0"),
        ("NAMESPACE", "n" * 33, "1 to 32 letters, digits, '-' and '_'"),
        ("NAMESPACE", "a{b}", "1 to 32 letters, digits, '-' and '_'"),
        ("NAMESPACE", "größe", "1 to 32 letters, digits, '-' and '_'"),
        ("DECISION_BUDGET_MS", "9", "from 10 to 10000"),
        ("DECISION_BUDGET_MS", "10001", "from 10 to 10000"),
        ("DECISION_BUDGET_MS", "60ms", "from 10 to 10000"),
        ("DECISION_BUDGET_MS", "-60", "from 10 to 10000"),
        ("REDIS_TIMEOUT_MS", "0", "from 1 to 10000"),
        ("IDEMPOTENCY_LIFETIME", "forever", "such as '30s', '250ms' or '24h'"),
        ("IDEMPOTENCY_LIFETIME", "0s", "write at least"),
        ("IDEMPOTENCY_LIFETIME", "999ms", "write at least 1s"),
        ("TABLE", "my table", "write its name"),
        ("TABLE", "claims/orders", "write its name"),
        ("TABLE", "größe", "write its name"),
        ("TABLE", "t" * 256, "write its name"),
        ("TABLE", "https://dynamodb.eu-central-1.amazonaws.com", "write its name"),
        ("TABLE", "arn:aws:s3:::claims", "write its name"),
        ("TABLE", ARN + "/index/by_owner", "write its name"),
        ("QUEUE_URL", "orders.fifo", "write its URL, which ends in .fifo"),
        ("QUEUE_URL", "arn:aws:sqs:eu-central-1:123456789012:orders.fifo", "write its URL"),
        ("QUEUE_URL", QUEUE.removesuffix(".fifo"), "which ends in .fifo"),
        ("QUEUE_URL", "https:///123456789012/orders.fifo", "write its URL"),
        ("QUEUE_URL", "https://sqs.example.com/1/or ders.fifo", "write its URL"),
        ("DEAD_LETTER_URL", "https://sqs.example.com", "write its URL"),
        ("QUEUE_EXPIRY", "5d", "write 1s to 4d"),
        ("QUEUE_BOUND", "0", "from 1 to 1000"),
        ("CACHE_BYTES", "16M", "digits only"),
        ("CACHE_BYTES", "9" * 5000, "digits only"),
        ("FLEET_SIZE", "0", "write 1 to 100000"),
        ("FLEET_SIZE", "²", "write 1 to 100000"),
        ("FLEET_SIZE", "٣", "write 1 to 100000"),
        ("SHADOW_SHARE", "1.1", "from 0 to 1"),
        ("SHADOW_SHARE", "inf", "from 0 to 1"),
        ("SHADOW_SHARE", "0_1", "from 0 to 1"),
        ("REDIS_IAM_USER", "the app", "visible ASCII"),
        ("STORE", "redis", "write 'memory'"),
        ("SHED", "yes", "('on', 'shadow', 'off')"),
        ("CAPACITY", "0", "write 1 to 1000000"),
        ("CAPACITY", "many", "write 1 to 1000000"),
        ("CONCURRENCY", "-1", "write 1 to 1000000"),
        ("SHED_IN_FLIGHT", "0", "write 0.01 to 2, such as 0.9"),
        ("SHED_IN_FLIGHT", "90%", "write 0.01 to 2, such as 0.9"),
        ("SHED_IN_FLIGHT", "nan", "write 0.01 to 2, such as 0.9"),
        ("SHED_WAIT_MS", "250", "as 100-1000"),
        ("SHED_WAIT_MS", "250-50", "as 100-1000"),
        ("SHED_STORE_MS", "1s-2s", "as 100-1000"),
        ("SHED_DATABASE_MS", "5-5", "as 100-1000"),
    ],
)
def test_a_wrong_value_is_refused_by_name_with_what_to_write(variable, text, advice):
    with pytest.raises(ConfigurationError) as raised:
        read(**{variable: text})
    assert raised.value.name == f"TIDEGATE_{variable}"
    assert str(raised.value).startswith(f"TIDEGATE_{variable}: ")
    assert advice in str(raised.value)


def test_no_store_at_all_is_answered_with_the_ways_to_have_one():
    with pytest.raises(ConfigurationError) as raised:
        Settings.from_environ({})
    for way in ("TIDEGATE_REDIS_URL=redis://", "TIDEGATE_TABLE=", "TIDEGATE_STORE=memory"):
        assert way in str(raised.value)


@pytest.mark.parametrize("shared", [REDIS, {"TIDEGATE_TABLE": "claims"}, REDIS | {"TIDEGATE_TABLE": "claims"}])
def test_memory_excludes_shared_stores(shared):
    with pytest.raises(ConfigurationError, match="TIDEGATE_STORE: 'memory' excludes") as raised:
        Settings.from_environ(shared | {"TIDEGATE_STORE": "memory"})
    assert "unset" in str(raised.value)


@pytest.mark.parametrize("stores", [REDIS, {"TIDEGATE_TABLE": "claims"}, {"TIDEGATE_STORE": "memory"}])
def test_one_kind_of_store_is_enough(stores):
    assert isinstance(Settings.from_environ(stores), Settings)


def test_iam_authentication_needs_user_and_cache():
    settings = read(REDIS_IAM_USER="app", REDIS_IAM_CACHE="cache-1")
    assert (settings.redis_iam_user, settings.redis_iam_cache) == ("app", "cache-1")


@pytest.mark.parametrize(
    ("given", "missing"), [("REDIS_IAM_USER", "REDIS_IAM_CACHE"), ("REDIS_IAM_CACHE", "REDIS_IAM_USER")]
)
def test_half_of_iam_authentication_is_refused_and_the_missing_half_named(given, missing):
    with pytest.raises(ConfigurationError) as raised:
        read(**{given: "x"})
    assert f"TIDEGATE_{missing}" in str(raised.value).partition(": ")[2]


def test_managed_instances_are_told_from_other_functions():
    """Several processes of one environment run at once, for long, and share a /tmp."""
    variables = REDIS | {"AWS_LAMBDA_FUNCTION_NAME": "api", "TMPDIR": "/sandbox"}
    managed = Settings.from_environ(variables | {"AWS_LAMBDA_INITIALIZATION_TYPE": "lambda-managed-instances"})
    assert (managed.on_lambda, managed.scratch) == (False, None)
    for kind in ("on-demand", "provisioned-concurrency", "snap-start"):
        other = Settings.from_environ(variables | {"AWS_LAMBDA_INITIALIZATION_TYPE": kind})
        assert (other.on_lambda, other.scratch) == (True, "/sandbox")


def test_the_functions_version_is_the_release_unless_one_is_named():
    on_lambda = REDIS | {"AWS_LAMBDA_FUNCTION_NAME": "api", "AWS_LAMBDA_FUNCTION_VERSION": "42"}
    assert Settings.from_environ(on_lambda).release == "42"
    assert Settings.from_environ(on_lambda).on_lambda
    assert Settings.from_environ(on_lambda | {"TIDEGATE_RELEASE": "blue"}).release == "blue"


@pytest.mark.parametrize(
    ("variables", "counted_as"),
    [
        ({}, None),
        ({"TIDEGATE_COUNT_OUTCOMES": "1"}, ("local", "local")),
        ({"TIDEGATE_COUNT_OUTCOMES": "1", "TIDEGATE_RELEASE": "blue"}, ("local", "blue")),
        ({"AWS_LAMBDA_FUNCTION_NAME": "api", "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST"}, None),
        ({"AWS_LAMBDA_FUNCTION_NAME": "api", "AWS_LAMBDA_FUNCTION_VERSION": "42"}, ("api", "42")),
        (
            {"AWS_LAMBDA_FUNCTION_NAME": "api", "AWS_LAMBDA_FUNCTION_VERSION": "42", "TIDEGATE_RELEASE": "blue"},
            ("api", "42"),
        ),
        (
            {"AWS_LAMBDA_FUNCTION_NAME": "api", "AWS_LAMBDA_FUNCTION_VERSION": "42", "TIDEGATE_COUNT_OUTCOMES": "0"},
            None,
        ),
    ],
)
def test_outcomes_are_counted_in_published_versions_and_where_it_is_said(variables, counted_as):
    assert Settings.from_environ(REDIS | variables).counted_as == counted_as


@pytest.mark.parametrize("url", ["redis://cache:port", "redis://cache:6379?socket_timeout=soon"])
def test_an_address_that_the_driver_cant_read_is_refused_by_name_too(url):
    with pytest.raises(ConfigurationError) as raised:
        compose(read(REDIS_URL=url))
    assert raised.value.name == "TIDEGATE_REDIS_URL"


def test_a_configuration_error_shows_no_secret():
    with pytest.raises(ConfigurationError) as raised:
        read(REDIS_URL="redis:/:hunter2@cache:6379")
    assert "hunter2" not in str(raised.value)

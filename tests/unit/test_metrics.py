"""What a request's line counts, beside the specification and beside what Powertools' Metrics would write."""

import inspect
import io
import json
import re
from types import SimpleNamespace

import pytest
from aws_lambda_powertools.metrics.provider.cloudwatch_emf.cloudwatch import AmazonCloudWatchEMFProvider

from tests.harness.emf import by_name, samples
from tidegate import metrics, telemetry
from tidegate.telemetry import RequestLine

NAMESPACE, SERVICE = "Shop", "api"
CAPACITY = "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity"
QUOTA = "https://iana.org/assignments/http-problem-types#quota-exceeded"


def line(**members):
    made = {"method": "GET", "route": "/v1/products/{id}", "principal": "key:ann", "status": 200, "duration_ms": 12.5}
    return RequestLine(**(made | members))


def later(base, **members):
    """A line with members that this one doesn't have yet."""
    fields = {name: getattr(base, name) for name in RequestLine.__slots__}
    return SimpleNamespace(**(fields | members))


ADMITTED = line(outcome="admitted", store="redis", admission_ms=0.4)
LIMITED = line(outcome="limited", store="dynamodb", admission_ms=4.2, status=429, reason=QUOTA)
LINES = {
    "admitted": ADMITTED,
    "limited": LIMITED,
    "unguarded": line(outcome="unguarded"),
    "replayed": line(outcome="replayed", store="redis", admission_ms=0.3),
    "refused": line(outcome="refused", status=400, reason="urn:tidegate:problem:idempotency-key-missing"),
    "failed": line(outcome="failed", status=500, reason="KeyError"),
    "queued": line(outcome="queued", status=202, store="redis", admission_ms=0.4),
    "shed": line(outcome="shed", status=503),
    "waited": line(outcome="admitted", store="memory", admission_ms=0.1, waited_ms=120.0),
    "unknown": line(outcome="something-new", status=None, duration_ms=None),
}


@pytest.fixture
def environment(monkeypatch):
    """Sets Powertools' variables, which are read once."""

    def forget():
        metrics.namespace.cache_clear()
        telemetry._service.cache_clear()
        telemetry._level_of_environment.cache_clear()

    def put(**variables):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        forget()

    level = telemetry._standard.level  # set, if anybody has made the Logger: then it goes before the variables
    telemetry._standard.setLevel(0)
    put(POWERTOOLS_METRICS_NAMESPACE=NAMESPACE, POWERTOOLS_SERVICE_NAME=SERVICE)
    yield put
    telemetry._standard.setLevel(level or telemetry._standard.level)  # a Logger made meanwhile sets it only once
    monkeypatch.undo()
    forget()


@pytest.fixture
def written(environment, monkeypatch):
    """`written(line)`: what was written for it, as text."""

    def write(said):
        stream = io.StringIO()
        monkeypatch.setattr(telemetry, "_stream", lambda: stream)
        telemetry.write(said, "11111111-2222-3333-4444-555555555555", "r7")
        return stream.getvalue()

    return write


def powertools(told, directive):
    """What Powertools' Metrics writes for a directive's metrics and dimensions."""
    provider = AmazonCloudWatchEMFProvider()  # namespace and service from the environment, as ours
    for metric in directive["Metrics"]:
        provider.add_metric(metric["Name"], metric["Unit"], told[metric["Name"]])
    for names in directive["Dimensions"]:
        if names != ["service"]:
            provider.add_dimensions(**{name: told[name] for name in names})
    return provider.serialize_metric_set()


@pytest.mark.parametrize("name", LINES)
def test_every_line_is_one_line_in_the_embedded_metric_format(name, written):
    text = written(LINES[name])
    assert text.endswith("\n")
    assert text.count("\n") == 1
    assert {sample.namespace for sample in samples(json.loads(text))} == {NAMESPACE}


@pytest.mark.parametrize("name", list(LINES))
def test_every_directive_is_what_powertools_writes(name, written):
    told = json.loads(written(LINES[name]))
    for directive in told["_aws"]["CloudWatchMetrics"]:
        theirs = powertools(told, directive)
        sets = theirs["_aws"]["CloudWatchMetrics"][0]["Dimensions"]
        assert sets in (
            directive["Dimensions"],
            [["service"], *directive["Dimensions"]],
        )
        assert theirs["_aws"]["CloudWatchMetrics"][0] == {**directive, "Dimensions": sets}
        assert type(theirs["_aws"]["Timestamp"]) is type(told["_aws"]["Timestamp"])
        assert abs(theirs["_aws"]["Timestamp"] - told["_aws"]["Timestamp"]) < 600_000
        for member in theirs.keys() - {"_aws"}:
            value = theirs[member]
            assert told[member] == (value[0] if isinstance(value, list) else value)


def test_a_request_is_counted_whole_by_route_and_by_release(written):
    told = json.loads(written(ADMITTED))
    counted = {"requests": 1, "requests_admitted": 1, "duration_ms": 12.5}
    assert by_name(told, service=SERVICE) == counted | {"decisions": 1, "admission_ms": 0.4}
    assert by_name(told, service=SERVICE, route="/v1/products/{id}") == counted
    assert by_name(told, service=SERVICE, release="r7") == {"requests": 1, "duration_ms": 12.5}
    assert by_name(told, service=SERVICE, store="redis") == {"decisions": 1, "admission_ms": 0.4}


def test_a_refusal_is_counted_by_its_cause(written):
    told = json.loads(written(LIMITED))
    assert told["reason"] == QUOTA
    assert by_name(told, service=SERVICE, cause="quota-exceeded") == {"requests_limited": 1}
    by_both = by_name(told, service=SERVICE, route="/v1/products/{id}", cause="quota-exceeded")
    assert by_both == {"requests_limited": 1}


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        (LIMITED, "quota-exceeded"),
        (LINES["refused"], "idempotency-key-missing"),
        (LINES["failed"], "KeyError"),
        (LINES["queued"], None),
        (later(LINES["shed"], shed="wait", reason=CAPACITY), "wait"),
        (later(LINES["shed"], reason=CAPACITY), "temporary-reduced-capacity"),
        (later(ADMITTED, shed="wait"), None),
    ],
)
def test_a_cause_is_one_word(said, cause):
    assert metrics.cause_of(said) == cause


@pytest.mark.parametrize("answered", ["hit", "stale", "collapsed", "computed"])
def test_what_the_cache_did_is_counted(answered):
    assert metrics.values_of(later(ADMITTED, cache=answered))[f"cache_{answered}"] == 1


@pytest.mark.parametrize("answered", [None, "", "what comes later"])
def test_what_the_table_does_not_know_counts_nothing(answered):
    assert metrics.values_of(later(ADMITTED, cache=answered)) == metrics.values_of(ADMITTED)


def test_what_only_reports_is_counted_apart():
    said = later(ADMITTED, shed="wait", pressure=0.3, pressed_by="wait", shadowed=("20/s", "daily"))
    more = {"shed_shadowed": 1, "limits_shadowed": 2, "pressure": 0.3}
    assert metrics.values_of(said) == metrics.values_of(ADMITTED) | more
    shed = later(LINES["shed"], shed="wait")
    assert "shed_shadowed" not in metrics.values_of(shed)


def test_server_errors_are_failures_and_not_what_was_shed():
    failing = [name for name, said in LINES.items() if "server_errors" in metrics.values_of(said)]
    assert failing == ["failed"]
    assert metrics.values_of(line(outcome="admitted", status=503))["server_errors"] == 1
    assert metrics.values_of(line(outcome="failed", status=None))["server_errors"] == 1


def test_no_metric_is_kept_apart_by_who_asked():
    assert set(metrics.TABLE) == {metric.name for metric in metrics.TABLE.values()}
    dimensions = {name for metric in metrics.TABLE.values() for names in metric.by for name in names}
    assert dimensions == {"service", "route", "release", "store", "cause", "state"}


def test_no_metric_takes_a_members_place():
    measured = {metric.name for metric in metrics.TABLE.values() if metric.unit != "Count"}
    assert measured == {"duration_ms", "admission_ms", "waited_ms", "pressure"}  # which are the members themselves
    assert not (set(metrics.TABLE) - measured) & set(RequestLine.__slots__)


@pytest.mark.parametrize(
    "variables",
    [
        {"POWERTOOLS_METRICS_NAMESPACE": ""},
        {"POWERTOOLS_METRICS_DISABLED": "true"},
        {"POWERTOOLS_DEV": "1"},
        {"POWERTOOLS_DEV": "1", "POWERTOOLS_METRICS_DISABLED": "yes"},
    ],
)
def test_where_powertools_has_no_metrics_there_are_none(variables, environment, written):
    environment(**variables)
    told = json.loads(written(ADMITTED))
    assert "_aws" not in told
    assert "requests" not in told
    assert told["outcome"] == "admitted"


def test_metrics_switched_on_go_before_the_developers_mode(environment, written):
    environment(POWERTOOLS_DEV="1", POWERTOOLS_METRICS_DISABLED="false")
    assert samples(json.loads(written(ADMITTED)))


def test_a_level_that_keeps_lines_out_keeps_metrics_alone(environment, written):
    environment(POWERTOOLS_LOG_LEVEL="WARNING")
    told = json.loads(written(LIMITED))
    assert by_name(told, service=SERVICE, cause="quota-exceeded") == {"requests_limited": 1}
    assert by_name(told, service=SERVICE, store="dynamodb") == {"decisions": 1, "admission_ms": 4.2}
    assert not told.keys() & {"level", "message", "principal", "method"}


def test_a_level_that_keeps_lines_out_writes_nothing_without_a_namespace(environment, written):
    environment(POWERTOOLS_LOG_LEVEL="WARNING", POWERTOOLS_METRICS_NAMESPACE="")
    assert written(LIMITED) == ""


@pytest.mark.parametrize(
    ("say", "name", "dimensions"),
    [
        (
            lambda: telemetry.store_changed("redis", "failing", "timeout", "no reply"),
            "store_changes",
            {"store": "redis", "state": "failing"},
        ),
        (
            lambda: telemetry.shadow_differed("key:ann", redis=True, dynamodb=False),
            "shadow_differed",
            {},
        ),
    ],
)
def test_what_is_rare_has_lines_of_its_own(say, name, dimensions, environment):
    telemetry._made.clear()
    stream = io.StringIO()
    telemetry.structured_logger().registered_handler.setStream(stream)
    try:
        say()
    finally:
        telemetry._made.clear()
    told = json.loads(stream.getvalue())
    assert told["service"] == SERVICE
    assert by_name(told, service=SERVICE, **dimensions) == {name: 1}


def test_every_outcome_and_every_word_of_the_cache_has_a_count():
    """What a line's members can be is read from its own documentation."""
    for member, prefix in (("outcome", "requests_"), ("cache", "cache_")):
        said = inspect.getdoc(RequestLine).partition(f"    {member}: ")[2].partition("\n")[0]
        counted = {name.removeprefix(prefix) for name in metrics.TABLE if name.startswith(prefix)}
        assert set(re.findall(r"`(\w+)`", said)) == counted

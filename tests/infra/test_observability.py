"""The dashboard and the alarms: what they ask for is what the library's log lines carry."""

import json
import re

import pytest
from aws_cdk import App, Stack
from aws_cdk import aws_sqs as sqs
from aws_cdk.assertions import Template

from infra.stack import NAMESPACE
from tests.infra.conftest import ROOT
from tests.infra.test_grants import as_list
from tidegate.metrics import TABLE
from tidegate_cdk.api.alarms import alarm, backlog_watches
from tidegate_cdk.api.measures import Backlog
from tidegate_cdk.api.thresholds import Thresholds

ALARM = "AWS::CloudWatch::Alarm"
SEARCH = re.compile(r"SEARCH\('\{(?P<keys>[^}]+)\} .*MetricName=\"(?P<name>\w+)\"'")
THRESHOLDS = Thresholds()


@pytest.fixture(scope="module")
def aws(both):
    return both["aws"]


@pytest.fixture(scope="module")
def alarms(aws):
    return {properties["AlarmName"].removeprefix("Tidegate-aws-"): properties for properties in aws.properties(ALARM)}


@pytest.fixture(scope="module")
def widgets(aws):
    body = aws.only("AWS::CloudWatch::Dashboard")["DashboardBody"]["Fn::Join"][1]
    text = "".join(part if isinstance(part, str) else next(iter(part.values()))[0] for part in body)
    return json.loads(text)["widgets"]


def plotted(widgets):
    """(name, dimensions) of each of the library's metrics on the dashboard."""
    for widget in widgets:
        for metric in widget["properties"].get("metrics", []):
            named = [part for part in metric if isinstance(part, str)]
            if named and named[0] == NAMESPACE:
                yield named[1], frozenset(named[2::2])
            elif found := SEARCH.search(metric[-1].get("expression", "")):
                yield found["name"], frozenset(found["keys"].split(",")[1:])


def watched(alarms):
    """(name, dimensions) of each of the library's metrics that an alarm looks at."""
    for properties in alarms.values():
        for query in properties.get("Metrics", []):
            metric = query.get("MetricStat", {}).get("Metric", {})
            if metric.get("Namespace") == NAMESPACE:
                yield metric["MetricName"], frozenset(d["Name"] for d in metric["Dimensions"])


def test_what_is_asked_for_is_what_the_log_lines_carry(widgets, alarms):
    asked = {*plotted(widgets), *watched(alarms)}
    assert len(asked) > 20
    kept = {(metric.name, frozenset(names)) for metric in TABLE.values() for names in metric.by}
    assert not asked - kept


def test_the_function_writes_under_the_names_that_are_asked_for(aws):
    variables = aws.function()["Environment"]["Variables"]
    assert variables["POWERTOOLS_METRICS_NAMESPACE"] == NAMESPACE
    assert variables["POWERTOOLS_SERVICE_NAME"] == "api"


def test_the_alarms_are_these(alarms):
    assert {name: properties["Threshold"] for name, properties in alarms.items()} == {
        "ServerErrors": THRESHOLDS.server_error_share,
        "Latency": THRESHOLDS.latency_p95_ms,
        "Fallback": THRESHOLDS.fallback_share,
        "Shed": THRESHOLDS.shed_share,
        "StoresLost": THRESHOLDS.stores_lost,
        "Throttles": THRESHOLDS.throttles,
        "OldestMessage": THRESHOLDS.oldest_message_s,
        "DeadLetters": THRESHOLDS.dead_letters,
        "TableThrottles": THRESHOLDS.table_throttles,
        "EdgeRate": THRESHOLDS.limit_share,
        "Concurrency": THRESHOLDS.limit_share,
        "CacheCapacity": THRESHOLDS.limit_share,
    }


def test_every_alarm_tells_the_topic_and_none_rings_without_traffic(aws, alarms):
    (topic,) = aws.resources("AWS::SNS::Topic")
    for name, properties in alarms.items():
        assert properties["AlarmActions"] == properties["OKActions"] == [{"Ref": topic}], name
        assert properties["TreatMissingData"] == "notBreaching", name
        assert properties["DatapointsToAlarm"] <= properties["EvaluationPeriods"], name


def test_a_share_says_nothing_of_a_few_requests(alarms):
    for name in ("ServerErrors", "Fallback", "Shed"):
        (expression,) = [query["Expression"] for query in alarms[name]["Metrics"] if "Expression" in query]
        assert expression.startswith(f"IF(whole >= {THRESHOLDS.least_requests}, "), name
    assert alarms["Latency"]["EvaluateLowSampleCountPercentile"] == "ignore"


def test_what_is_shed_on_purpose_is_no_server_error(alarms):
    queries = {query["Id"]: query for query in alarms["ServerErrors"]["Metrics"]}
    shed = queries["shed"]["MetricStat"]["Metric"]
    assert (shed["Namespace"], shed["MetricName"]) == (NAMESPACE, "requests_shed")
    assert queries["errors"]["MetricStat"]["Metric"]["MetricName"] == "5XXError"


def test_every_alarm_has_its_runbook_and_links_to_it(alarms):
    parts = re.split(r"^## (\w+)$", (ROOT / "docs" / "runbooks.md").read_text(), flags=re.MULTILINE)
    runbooks = dict(zip(parts[1::2], parts[2::2], strict=True))
    queued = {name.removeprefix("Queued-"): properties for name, properties in backlog_alarms().items()}
    for name, properties in (alarms | queued).items():
        assert properties["AlarmDescription"].endswith(f". What to do: docs/runbooks.md#{name.lower()}")
        for step in ("**Means.**", "**Look.**", "**Do.**", "**Over when.**"):
            assert step in runbooks[name], (name, step)


def test_the_dashboard_has_a_row_for_each_question(aws, widgets):
    assert aws.only("AWS::CloudWatch::Dashboard")["DashboardName"] == "Tidegate-aws"
    titles = [widget["properties"]["markdown"] for widget in widgets if widget["type"] == "text"]
    assert titles == [
        "## What happens if Redis is down?",
        "## What happens in a request storm?",
        "## Do the stores keep up?",
        "## What happens during a release?",
    ]
    assert max(widget["x"] + widget["width"] for widget in widgets) == 24


def test_the_local_stage_has_none_of_it(both):
    types = {resource["Type"] for resource in both["local"].document["Resources"].values()}
    assert not types & {ALARM, "AWS::CloudWatch::Dashboard", "AWS::SNS::Topic"}


def expression(alarms, name):
    (found,) = [query["Expression"] for query in alarms[name]["Metrics"] if "Expression" in query]
    return found


def test_shares_are_of_what_the_stage_and_the_account_allow(aws, alarms):
    limits, throttle = aws.stage.cache_limits, aws.stage.throttle
    assert expression(alarms, "EdgeRate") == f"asked / {60 * throttle.rate_per_s}"
    assert expression(alarms, "Concurrency") == "used / SERVICE_QUOTA(used)"
    cache = expression(alarms, "CacheCapacity")
    assert str(60 * limits.ecpu_per_s) in cache
    assert str(limits.data_gb * 10**9) in cache
    named = {
        dimension["Value"]
        for query in alarms["CacheCapacity"]["Metrics"]
        for dimension in query.get("MetricStat", {}).get("Metric", {}).get("Dimensions", [])
    }
    assert named == {aws.only("AWS::ElastiCache::ServerlessCache")["ServerlessCacheName"]}


def test_every_table_s_refusals_are_watched(aws, alarms):
    watched = {
        query["MetricStat"]["Metric"]["Dimensions"][0]["Value"]["Ref"]
        for query in alarms["TableThrottles"]["Metrics"]
        if "MetricStat" in query
    }
    assert watched == set(aws.resources("AWS::DynamoDB::Table"))


def test_alarms_and_budgets_may_tell_the_topic_and_only_by_tls(aws):
    policy = aws.only("AWS::SNS::TopicPolicy")["PolicyDocument"]["Statement"]
    allowed = [one for one in policy if one["Effect"] == "Allow"]
    publishers = {service for one in allowed for service in as_list(one["Principal"]["Service"])}
    assert publishers == {"cloudwatch.amazonaws.com", "budgets.amazonaws.com"}
    assert [one["Condition"] for one in policy if one["Effect"] == "Deny"] == [
        {"Bool": {"aws:SecureTransport": "false"}}
    ]


def test_nobody_is_told_and_no_budget_is_set_unless_a_deployment_says_so(aws):
    assert not aws.resources("AWS::SNS::Subscription")
    assert not aws.resources("AWS::Budgets::Budget")


def backlog_alarms():
    stack = Stack(App(), "Queued")
    backlog = Backlog(sqs.Queue(stack, "Waiting"), sqs.Queue(stack, "GivenUp"))
    for watch in backlog_watches(backlog, THRESHOLDS):
        alarm(stack, watch, "Queued")
    found = Template.from_stack(stack).find_resources(ALARM)
    return {resource["Properties"]["AlarmName"]: resource["Properties"] for resource in found.values()}


def test_where_requests_are_queued_the_queue_is_watched():
    found = backlog_alarms()
    oldest, given_up = found["Queued-OldestMessage"], found["Queued-DeadLetters"]
    assert (oldest["Threshold"], given_up["Threshold"]) == (THRESHOLDS.oldest_message_s, 1)
    assert [asked(alarm) for alarm in (oldest, given_up)] == [
        ("ApproximateAgeOfOldestMessage", "Waiting"),
        ("ApproximateNumberOfMessagesVisible", "GivenUp"),
    ]


def asked(properties):
    (query,) = properties["Metrics"]
    metric = query["MetricStat"]["Metric"]
    return metric["MetricName"], metric["Dimensions"][0]["Value"]["Fn::GetAtt"][0][:-8]

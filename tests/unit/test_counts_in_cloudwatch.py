"""CloudWatch's metrics as the judge's counts; CloudWatch is an HTTP server that answers as it does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from functions.rollout import denial
from functions.rollout.counts import CountsUnavailableError
from functions.rollout.counts_in_cloudwatch import MetricCounts
from functions.rollout.judge.histogram import bin_of
from functions.rollout.metrics import LAMBDA, metrics_of
from functions.rollout.order import Order

FUNCTION = "shop-Hello-1A2B"
# 12:00:30 of a day: the minute before ended half a minute ago.
NOW_S = int(datetime(2026, 5, 4, 12, 0, 30, tzinfo=UTC).timestamp())
MINUTE = NOW_S // 60
WAY = json.dumps({"steps": [], "look_s": 30, "warm": 0, "keep": 5, "hold_s": 0})


class CloudWatch:
    """GetMetricData of values: (metric, dimensions, epoch seconds, value); at most `page` results in an answer."""

    def __init__(self) -> None:
        self.values: list[tuple[str, dict[str, str], int, float]] = []
        self.asked: list[dict[str, Any]] = []
        self.page = 500

    def answer(self, asked: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(asked)
        assert len(asked["MetricDataQueries"]) <= 500, "more than CloudWatch takes"
        results = [self._result(query, asked) for query in asked["MetricDataQueries"]]
        at = int(asked.get("NextToken") or 0)
        page = {"MetricDataResults": results[at : at + self.page]}
        return page | ({"NextToken": str(at + self.page)} if at + self.page < len(results) else {})

    def _result(self, query: dict[str, Any], asked: dict[str, Any]) -> dict[str, Any]:
        metric, statistic = query["MetricStat"]["Metric"], query["MetricStat"]["Stat"]
        dimensions = {of["Name"]: of["Value"] for of in metric["Dimensions"]}
        by_minute: dict[int, list[float]] = {}
        for name, of, at, value in self.values:
            if (name, of) == (metric["MetricName"], dimensions) and asked["StartTime"] <= at < asked["EndTime"]:
                by_minute.setdefault(at // 60 * 60, []).append(value)
        told = {at: _statistic(statistic, values) for at, values in sorted(by_minute.items())}
        return {"Id": query["Id"], "StatusCode": "Complete", "Timestamps": [*told], "Values": [*told.values()]}


def _statistic(name: str, values: list[float]) -> float:
    if name.startswith("TC("):
        above, up_to = map(float, name[3:-1].split(":"))
        return float(sum(above < value <= up_to for value in values))
    return {"Sum": sum(values), "SampleCount": float(len(values))}[name]


@pytest.fixture
def cloudwatch() -> Iterator[CloudWatch]:
    return CloudWatch()


@pytest.fixture
def client(cloudwatch):
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            body = json.dumps(cloudwatch.answer(asked)).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/x-amz-json-1.0")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            """A test's requests are nobody's log."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        serving = Thread(target=server.serve_forever)
        serving.start()
        try:
            with closing(made(f"http://127.0.0.1:{server.server_port}")) as client:
                yield client
        finally:
            server.shutdown()
            serving.join()


def made(url):
    retries = {"total_max_attempts": 1}
    keys = {"aws_access_key_id": "-", "aws_secret_access_key": "-"}
    return boto3.client("cloudwatch", endpoint_url=url, region_name="eu-west-1", config=Config(retries=retries), **keys)


def of_version(version):
    return {"FunctionName": FUNCTION, "Resource": f"{FUNCTION}:live", "ExecutedVersion": version}


def ran(version, at, *durations, failed=0):
    """The values of invocations at a time (epoch seconds), of these durations in milliseconds."""
    of = of_version(version)
    yield from [("Duration", of, at, duration) for duration in durations]
    yield from [("Invocations", of, at, 1.0) for _ in durations]
    yield from [("Errors", of, at, float(number < failed)) for number, _ in enumerate(durations)]


def read(client, version="7", since=NOW_S - 600, metrics=LAMBDA, now=NOW_S):
    return MetricCounts(client, metrics, "live", now).by_minute(FUNCTION, version, since)


def test_each_version_s_invocations_are_counted_by_minute(cloudwatch, client):
    early, late = NOW_S - 300, NOW_S - 180
    cloudwatch.values += [*ran("7", early, 12.5, 40, 800, failed=1), *ran("7", late, 30), *ran("6", late, 5, 5)]
    found = read(client)
    assert {minute: counts.warm[:3] for minute, counts in found.items()} == {
        early // 60: (3, 1, 0),
        late // 60: (1, 0, 0),
    }
    assert read(client, "6")[late // 60].warm.requests == 2
    assert read(client, "5") == {}


def test_what_was_throttled_is_refused_and_no_failure(cloudwatch, client):
    cloudwatch.values += [*ran("7", NOW_S - 300, 5), ("Throttles", of_version("7"), NOW_S - 300, 4.0)]
    (counts,) = read(client).values()
    assert (counts.warm.requests, counts.warm.failed, counts.warm.refused) == (1, 0, 4)


@pytest.mark.parametrize("milliseconds", [0.7, 1, 1.19, 3.3, 47, 250, 1000, 29_000, 900_000])
def test_a_latency_is_known_within_a_tenth(cloudwatch, client, milliseconds):
    cloudwatch.values += ran("7", NOW_S - 300, milliseconds)
    (counts,) = read(client).values()
    (number,) = counts.warm.latency.counts
    if milliseconds > 1:
        assert bin_of(int(milliseconds * 900)) <= number <= bin_of(int(milliseconds * 1100))
    assert counts.warm.latency.total == 1


def test_a_minute_counts_only_a_while_after_its_end(cloudwatch, client):
    cloudwatch.values += [*ran("7", NOW_S - 40, 5), *ran("7", NOW_S - 100, 5), *ran("7", NOW_S, 5)]
    assert [*read(client)] == [MINUTE - 2]
    assert [*read(client, now=NOW_S + 30)] == [MINUTE - 2, MINUTE - 1]


def test_both_versions_minutes_end_with_the_look(client, monkeypatch):
    counting = MetricCounts(client, LAMBDA, "live", NOW_S)
    monkeypatch.setattr("functions.rollout.clock.now_s", lambda: NOW_S + 3600)
    counting.by_minute(FUNCTION, "6", NOW_S - 600)
    assert counting.by_minute(FUNCTION, "7", NOW_S) == {}, "nothing of it has ended: nobody is asked"


def test_a_late_value_is_read_at_a_later_look(cloudwatch, client):
    cloudwatch.values += ran("7", NOW_S - 300, 5)
    assert [counts.warm.requests for counts in read(client).values()] == [1]
    cloudwatch.values += ran("7", NOW_S - 300, 5)
    assert [counts.warm.requests for counts in read(client).values()] == [2]


def test_an_answer_of_several_pages_is_read_whole(cloudwatch, client):
    cloudwatch.values += ran("7", NOW_S - 300, 5, 600, failed=1)
    cloudwatch.page = 7
    (counts,) = read(client).values()
    assert (counts.warm.requests, counts.warm.failed, counts.warm.latency.total) == (2, 1, 2)
    assert len(cloudwatch.asked) > 5


def test_an_application_s_own_metrics_are_read_by_their_names(cloudwatch, client):
    written = json.dumps(
        {
            "namespace": "Shop",
            "requests": None,
            "errors": "Failed",
            "duration": "Took",
            "refused": None,
            "dimensions": {"service": "{function}-{alias}", "version": "{version}"},
        }
    )
    of = {"service": f"{FUNCTION}-live", "version": "7"}
    cloudwatch.values += [
        ("Took", of, NOW_S - 300, 5.0),
        ("Took", of, NOW_S - 300, 9.0),
        ("Failed", of, NOW_S - 300, 1),
    ]
    (counts,) = read(client, metrics=metrics_of(written)).values()
    assert (counts.warm.requests, counts.warm.failed, counts.warm.latency.total) == (2, 1, 2)
    assert {query["MetricStat"]["Metric"]["Namespace"] for query in cloudwatch.asked[0]["MetricDataQueries"]} == {
        "Shop"
    }


def stubbed(**answer):
    client = made("http://127.0.0.1:9")
    stub = Stubber(client)
    if "code" in answer:
        stub.add_client_error("get_metric_data", answer["code"])
    else:
        stub.add_response("get_metric_data", answer)
    stub.activate()
    return client


def test_an_answer_that_is_not_whole_is_no_evidence():
    partial = {"Id": "errors", "StatusCode": "InternalError", "Timestamps": [], "Values": []}
    with pytest.raises(CountsUnavailableError, match=r"not all counts were read \(errors\)"):
        read(stubbed(MetricDataResults=[partial]))


def test_a_cloudwatch_that_does_not_answer_is_no_evidence():
    with closing(made("http://127.0.0.1:9")) as client, pytest.raises(CountsUnavailableError, match="CloudWatch"):
        read(client)


def test_a_role_that_is_new_is_waited_for():
    with pytest.raises(ClientError) as denied:
        read(stubbed(code="AccessDenied"))
    assert denial.is_denial(denied.value)


def ordered(**of):
    targets = [{"Name": FUNCTION, "Version": "7", "Serves": "any"}]
    return Order.of({"Namespace": "n", "Alias": "live", "Targets": targets, "Way": WAY, **of})


def test_an_order_says_which_counts_are_the_evidence():
    assert ordered().metrics is None
    assert ordered(Evidence="tidegate").metrics is None
    assert ordered(Evidence="cloudwatch").metrics == LAMBDA
    assert ordered(Evidence='{"namespace": "Shop", "settled_s": 5}').metrics.settled_s == 5


@pytest.mark.parametrize("evidence", ["cloudwacht", '["cloudwatch"]', '{"error": "Errors"}'])
def test_evidence_that_there_is_not_is_refused(evidence):
    with pytest.raises(ValueError, match="it takes tidegate, cloudwatch, or namespace"):
        ordered(Evidence=evidence)

"""What a request's metrics cost beside its line, its decision and Powertools' own way of writing them."""

import io
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path

import redis

from tests.benchmarks import contenders
from tests.benchmarks.report import Goal, Section, Table, microseconds_row

ROUNDS = 60
A_ROUND = 200
BARE, MEASURED = "Tidegate's line", "Tidegate's line with its metrics"
LOGGER, METRICS = "Powertools' Logger, the line's members", "Powertools' Metrics, the same metrics, flushed"
UNIT = "one EVALSHA by redis-py, in a loop"
HOW = (
    f"Everyone in turns, {ROUNDS} rounds of {A_ROUND}; of each its quickest round. Lines go to /dev/null, as buffered "
    "text. The metrics are those of an admitted request: five, in three groups by what they are kept apart by. "
    "Powertools' Metrics keeps all metrics of a blob apart by the same dimensions, so it writes a blob for each group."
)


def test_metrics_cost(redis_url, report, monkeypatch):
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "api")
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere, redis.Redis.from_url(redis_url) as client:
        calls = _calls(client, nowhere, monkeypatch)
        took = _measured(calls)
    added = took[MEASURED] - took[BARE]
    section = Section("metrics-cost", "What a request's metrics cost", HOW)
    rows = [microseconds_row(name, us, took[UNIT]) for name, us in took.items()]
    rows.append(microseconds_row("the metrics, added to Tidegate's line", added, took[UNIT]))
    section.tables.append(Table("One request's line and metrics", ("what", "µs", "EVALSHAs in a loop"), rows))
    share = added / took[UNIT]
    section.goals.append(Goal("metrics of a request, in EVALSHAs", f"{share:.2f}", "≤ 0.1", share <= 0.1))
    report.add(section)
    assert took[BARE] > 0


def _calls(client, nowhere: io.TextIOBase, monkeypatch) -> dict[str, Callable[[], object]]:
    sha = client.script_load(contenders.ONE_COMMAND)
    return {
        UNIT: lambda: client.evalsha(sha, 1, "bench:{unit}"),
        BARE: _ours("", nowhere, monkeypatch),
        MEASURED: _ours("Shop", nowhere, monkeypatch),
        LOGGER: _logger(nowhere),
        METRICS: _metrics(nowhere),
    }


def _ours(namespace: str, nowhere: io.TextIOBase, monkeypatch) -> Callable[[], object]:
    from tidegate import metrics, telemetry

    monkeypatch.setattr(telemetry, "_stream", lambda: nowhere)
    say = _line()

    def write():
        metrics.namespace = lambda: namespace or None
        telemetry.write(say, "11111111-2222-3333-4444-555555555555", "r7")

    monkeypatch.setattr(metrics, "namespace", metrics.namespace)  # put back at the end
    return write


def _line():
    from tidegate.telemetry import RequestLine

    members = {"outcome": "admitted", "store": "redis", "admission_ms": 0.412, "status": 200, "duration_ms": 3.21}
    return RequestLine(method="GET", route="/v1/products/{id}", principal="key:abcdef123456", **members)


def _logger(nowhere: io.TextIOBase) -> Callable[[], object]:
    from aws_lambda_powertools import Logger

    logger = Logger(service="peer", stream=nowhere, use_rfc3339=True)
    logging.getLogger("peer").propagate = False  # pytest's own handlers would be measured, too
    line = _line()
    members = {name: value for name in line.__slots__ if (value := getattr(line, name)) is not None}
    return lambda: logger.info("request", extra=members)


def _metrics(nowhere: io.TextIOBase) -> Callable[[], object]:
    import json

    from aws_lambda_powertools.metrics.provider.cloudwatch_emf.cloudwatch import AmazonCloudWatchEMFProvider

    sets = (
        ({"route": "/v1/products/{id}"}, {"requests": 1, "duration_ms": 3.21}),
        ({"store": "redis"}, {"decisions": 1, "admission_ms": 0.412}),
        ({"route": "/v1/products/{id}"}, {"requests_admitted": 1}),
    )

    def flush():
        for dimensions, values in sets:
            provider = AmazonCloudWatchEMFProvider(namespace="Shop", service="api")
            for name, value in values.items():
                provider.add_metric(name, "Milliseconds" if name.endswith("_ms") else "Count", value)
            provider.add_dimensions(service="api", **dimensions)
            nowhere.write(json.dumps(provider.serialize_metric_set(), separators=(",", ":")) + "\n")

    return flush


def _measured(calls: dict[str, Callable[[], object]]) -> dict[str, float]:
    took: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(ROUNDS):
        for name, call in calls.items():
            began = time.perf_counter_ns()
            for _ in range(A_ROUND):
                call()
            took[name].append((time.perf_counter_ns() - began) / A_ROUND / 1000)
    return {name: min(values) for name, values in took.items()}

"""The hook that is told of every request, and the adapters that are made of it."""

from __future__ import annotations

import dataclasses
from dataclasses import replace

import pytest
from fastapi import FastAPI
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import CollectorRegistry

from tidegate import TokenBucket, policy
from tidegate.opentelemetry import OpenTelemetryMetrics
from tidegate.prometheus import PrometheusMetrics

ONCE = TokenBucket("1/h")


def shop():
    app = FastAPI(title="Shop")

    @app.get("/items/{item}")
    @policy(limits=[ONCE])
    async def items(item: int):
        return item

    @app.get("/broken")
    async def broken():
        raise ZeroDivisionError

    return app


def ask(api):
    for path in ("/items/1", "/items/2", "/broken"):
        api.get(path, key="alice")


def test_every_request_is_told_once_and_whole(run, memory):
    told = []
    ask(run(shop(), replace(memory, log_sample=0.0001), on_request=told.append))
    assert [(each.route, each.outcome, each.status) for each in told] == [
        ("/items/{item}", "admitted", 200),
        ("/items/{item}", "limited", 429),
        ("/broken", "failed", 500),
    ]
    assert told[0].store == "memory"
    assert told[0].principal.startswith("key:")
    assert told[2].reason == "ZeroDivisionError"
    with pytest.raises(dataclasses.FrozenInstanceError):
        told[0].status = 500


def test_what_it_raises_hurts_no_request_and_is_logged_once(run, memory, log, monkeypatch):
    monkeypatch.setattr("tidegate.request_record._failed", set())

    def hook(_record):
        raise LookupError

    api = run(shop(), memory, on_request=hook)
    assert [api.get(f"/items/{n}", key=f"{n}").status_code for n in range(3)] == [200] * 3
    assert [line["message"] for line in log.all].count("on_request failed, and is called on") == 1


def test_prometheus_counts(run, memory):
    registry = CollectorRegistry()
    ask(run(shop(), memory, on_request=PrometheusMetrics(registry)))

    def counted(route, outcome, status):
        labels = {"route": route, "method": "GET", "outcome": outcome, "status": status}
        return registry.get_sample_value("tidegate_requests_total", labels)

    assert counted("/items/{item}", "admitted", "200") == 1
    assert counted("/items/{item}", "limited", "429") == 1
    assert counted("/broken", "failed", "500") == 1
    assert registry.get_sample_value("tidegate_decision_seconds_count", {"store": "memory"}) == 3


def test_opentelemetry_counts_and_says_it_on_the_span(serve, memory):
    reader, exporter = InMemoryMetricReader(), InMemorySpanExporter()
    traces = TracerProvider()
    traces.add_span_processor(SimpleSpanProcessor(exporter))
    app = shop()

    class Traced:
        """What an instrumentation of ASGI does."""

        def __init__(self, inner):
            self.inner = inner

        async def __call__(self, scope, receive, send):
            with traces.get_tracer("test").start_as_current_span("request"):
                await self.inner(scope, receive, send)

    app.add_middleware(Traced)
    ask(serve(app, memory, on_request=OpenTelemetryMetrics(MeterProvider([reader]))))
    found = {}
    for resource in reader.get_metrics_data().resource_metrics:
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                found[metric.name] = list(metric.data.data_points)
    counts = {
        (point.attributes["http.route"], point.attributes["tidegate.outcome"]): point.value
        for point in found["tidegate.requests"]
    }
    assert counts == {("/items/{item}", "admitted"): 1, ("/items/{item}", "limited"): 1, ("/broken", "failed"): 1}
    assert sum(point.count for point in found["tidegate.decision.duration"]) == 3
    spans = [span.attributes for span in exporter.get_finished_spans() if "tidegate.outcome" in span.attributes]
    assert [span["tidegate.outcome"] for span in spans] == ["admitted", "limited", "failed"]
    assert all("enduser.id" not in span for span in spans)

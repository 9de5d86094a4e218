"""Prometheus metrics of an application's requests: `protect(app, on_request=PrometheusMetrics())`.

With several worker processes set PROMETHEUS_MULTIPROC_DIR, as prometheus-client prescribes. It needs
`pip install 'tidegate[prometheus]'`.
"""

from __future__ import annotations

try:
    from prometheus_client import REGISTRY, CollectorRegistry, Counter, Histogram
except ModuleNotFoundError as missing:
    raise ModuleNotFoundError(
        "tidegate.prometheus needs prometheus-client: pip install 'tidegate[prometheus]'", name=missing.name
    ) from missing

from tidegate.request_record import RequestRecord

_DECISION_S = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5)


class PrometheusMetrics:
    """Counts requests and their time, by route and outcome; a hook for `protect(on_request=…)`.

    `tidegate_requests_total{route, method, outcome, status}`, `tidegate_request_seconds{route, method}` and
    `tidegate_decision_seconds{store}`. No label is a principal.

    Args:
        registry: where the metrics are registered.
    """

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        self._requests = Counter(
            "tidegate_requests_total",
            "Requests that have ended.",
            ("route", "method", "outcome", "status"),
            registry=registry,
        )
        self._took = Histogram(
            "tidegate_request_seconds", "From the guard to the response's end.", ("route", "method"), registry=registry
        )
        self._decided = Histogram(
            "tidegate_decision_seconds",
            "How long a store took to decide.",
            ("store",),
            registry=registry,
            buckets=_DECISION_S,
        )

    def __call__(self, record: RequestRecord) -> None:
        """Count one request."""
        self._requests.labels(record.route, record.method, record.outcome, str(record.status or "")).inc()
        self._took.labels(record.route, record.method).observe(record.duration_ms / 1000)
        if record.store is not None and record.admission_ms is not None:
            self._decided.labels(record.store).observe(record.admission_ms / 1000)

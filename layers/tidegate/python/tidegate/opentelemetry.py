"""OpenTelemetry's metrics and span attributes: `protect(app, on_request=OpenTelemetryMetrics())`.

Names follow the semantic conventions of HTTP where there is one, else they begin with `tidegate.`. It needs
`pip install 'tidegate[opentelemetry]'`, which is the API alone: the application chooses the SDK.
"""

from __future__ import annotations

try:
    from opentelemetry import metrics, trace
except ModuleNotFoundError as missing:
    raise ModuleNotFoundError(
        "tidegate.opentelemetry needs opentelemetry-api: pip install 'tidegate[opentelemetry]'", name=missing.name
    ) from missing

from tidegate.request_record import RequestRecord


class OpenTelemetryMetrics:
    """Records requests as metrics, and says on the current span what became of one; a hook for `on_request`.

    `tidegate.requests` and `tidegate.decision.duration`, in seconds. It makes no span. Principals are in the span's
    attributes only if that is asked for.

    Args:
        provider: the meters' provider; the global one if None.
        principals: whether the span gets `enduser.id`, which is personal data.
    """

    def __init__(self, provider: metrics.MeterProvider | None = None, *, principals: bool = False) -> None:
        meter = metrics.get_meter("tidegate", meter_provider=provider)
        self._requests = meter.create_counter("tidegate.requests", "{request}", "Requests that have ended.")
        self._decided = meter.create_histogram("tidegate.decision.duration", "s", "How long a store took to decide.")
        self._principals = principals

    def __call__(self, record: RequestRecord) -> None:
        """Record one request."""
        attributes: dict[str, str | int] = {
            "http.request.method": record.method,
            "http.route": record.route,
            "tidegate.outcome": record.outcome,
        }
        if record.status is not None:
            attributes["http.response.status_code"] = record.status
        self._requests.add(1, attributes)
        if record.store is not None and record.admission_ms is not None:
            self._decided.record(record.admission_ms / 1000, {"tidegate.store": record.store})
        span = trace.get_current_span()
        if span.is_recording():
            said = {
                "tidegate.outcome": record.outcome,
                "tidegate.reason": record.reason,
                "tidegate.store": record.store,
                "enduser.id": record.principal if self._principals else None,
            }
            span.set_attributes({name: value for name, value in said.items() if value is not None})

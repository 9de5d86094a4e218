"""The events that are sent: REST API proxy events with the fields that API Gateway adds."""

from __future__ import annotations

from typing import Any

from tests.harness.lambda_events import rest_event

_HEADERS = {
    "Accept": "application/json",
    "Accept-Encoding": "gzip, deflate, br",
    "CloudFront-Forwarded-Proto": "https",
    "CloudFront-Is-Desktop-Viewer": "true",
    "CloudFront-Viewer-Country": "DE",
    "Host": "a1b2c3d4e5.execute-api.us-east-1.amazonaws.com",
    "User-Agent": "shop-client/2.1",
    "Via": "2.0 4b2f1c.cloudfront.net (CloudFront)",
    "X-Amz-Cf-Id": "z9Kq8d0uVq1cX2w5bTn3rHk7mYpLs6JfGe4aQhUoRiCv",
    "X-Amzn-Trace-Id": "Root=1-6543e1f2-3c4d5e6f708192a3b4c5d6e7",
    "X-Forwarded-For": "203.0.113.7, 198.51.100.9",
    "X-Forwarded-Port": "443",
    "X-Forwarded-Proto": "https",
    "x-api-key": "bench-key-value",
}


def get(caller: str = "bench-key") -> dict[str, Any]:
    """GET /products by the API key of that id."""
    return rest_event("GET", "/products", headers=_HEADERS, api_key_id=caller)


def post(key: str, caller: str = "bench-key") -> dict[str, Any]:
    """POST /orders under that idempotency key."""
    headers = _HEADERS | {"Idempotency-Key": f'"{key}"'}
    return rest_event("POST", "/orders", headers=headers, api_key_id=caller, body={"product": "p1", "quantity": 2})

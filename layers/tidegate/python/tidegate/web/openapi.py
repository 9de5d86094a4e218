"""What the guard adds to an application's OpenAPI document: refusals, fields, and the Idempotency-Key parameter.

The document is completed after the application has made it, by whatever function of its own: nothing that it says is
overwritten. Source: OpenAPI Specification 3.1.0, "Operation Object" and "Responses Object".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from tidegate.policy import Policy
from tidegate.routing import RouteTable

Document = dict[str, Any]
_PROBLEM = "ProblemDetails"
_CONVERTOR = re.compile(r"\{(\w+):\w+\}")
_METHODS = frozenset({"get", "head", "post", "put", "patch", "delete", "options", "trace"})

_SCHEMA: Document = {
    "title": _PROBLEM,
    "description": "Problem details, RFC 9457.",
    "type": "object",
    "properties": {
        "type": {"type": "string", "format": "uri-reference", "default": "about:blank"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
    },
    "additionalProperties": True,
}
_FIELDS: Document = {
    "RateLimit": {
        "description": "What is left of each limit, and in how many seconds there is more: RFC 9651 items.",
        "schema": {"type": "string"},
        "example": '"20/s";r=39;t=1',
    },
    "RateLimit-Policy": {
        "description": "Each limit's quota and window in seconds: RFC 9651 items.",
        "schema": {"type": "string"},
        "example": '"20/s";q=40;w=2',
    },
    "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 1}},
    "Location": {"description": "Where the response will be.", "schema": {"type": "string", "format": "uri-reference"}},
    "Idempotent-Replayed": {
        "description": "The response is that of an earlier request with the same key.",
        "schema": {"type": "string", "enum": ["true"]},
    },
}
# What `idempotency/protocol.py` reads: a string of RFC 9651, or bare, without the commas that join several fields.
_QUOTED_KEY = r'"(?:[!#-\[\]-~]|\\["\\]){1,255}"'
_BARE_KEY = "[!#-+.-~-](?:[!-+.-~-]{0,254})?"
KEY: Document = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "One key for each intended effect, the same for its retries: 1 to 255 characters, such as a UUID, "
    "in quotes (RFC 9651) or bare.",
    "schema": {"type": "string", "pattern": f"^(?:{_QUOTED_KEY}|{_BARE_KEY})$"},
    "example": "8e03978e-40d5-43e8-bc93-6894a57f9324",
}
_CLAIM_REFUSALS = {
    400: "The Idempotency-Key is missing or can't be read, or the request's body is incomplete.",
    408: "The request's body came too slowly.",
    409: "A request with this key is running, or its response isn't kept.",
    413: "The request's body is too large.",
    422: "The key belongs to another payload.",
}


def completed(made: Document, prefix: str, table: RouteTable, *, own_refusals: bool) -> Document:
    """Return an application's document with what the guard answers and reads on its routes.

    Args:
        made: the application's; it stays as it is.
        prefix: the path at which the application is mounted in the protected one.
        table: the routes' policies.
        own_refusals: whether the application makes the bodies of refusals itself.
    """
    document = deepcopy(made)
    policies = {(_formatted(each.route), each.method.lower()): each.policy for each in table.routes()}
    for path, item in document.get("paths", {}).items():
        for method in sorted(_METHODS & item.keys()):
            policy = policies.get((prefix + path, method))
            if policy is not None and (policy.takes_claims or not policy.asks_nothing):
                _complete(item[method], policy, document, own_refusals=own_refusals)
    return document


def _complete(operation: Document, policy: Policy, document: Document, *, own_refusals: bool) -> None:
    components = document.setdefault("components", {})
    components.setdefault("schemas", {}).setdefault(_PROBLEM, _SCHEMA)
    named = components.setdefault("headers", {})
    for name, field in _FIELDS.items():
        named.setdefault(name, field)
    if policy.takes_claims:
        _add_key(operation, policy)
    responses = operation.setdefault("responses", {})
    for status, text in _answers(policy).items():
        response = responses.setdefault(str(status), {"description": text})
        if status >= 400 and "$ref" not in response and not (own_refusals and status in {429, 503}):
            content = response.setdefault("content", {})
            content.setdefault("application/problem+json", {"schema": {"$ref": f"#/components/schemas/{_PROBLEM}"}})
    for status, response in responses.items():
        if "$ref" not in response:
            _add_fields(response, status, policy)


def _formatted(template: str) -> str:
    """Return a template as OpenAPI writes it: without the convertors of its parameters."""
    return _CONVERTOR.sub(r"{\1}", template)


def _answers(policy: Policy) -> Mapping[int, str]:
    texts = {503: "Capacity is reduced for now, or too short for this request."}
    if policy.limits:
        texts[429] = "A limit is used up."
    if any(callable(limit.cost) or limit.cost != 1 for limit in policy.limits):
        texts |= {422: "The request costs more than a limit ever admits.", 500: "What the request costs isn't known."}
    if policy.captures:
        texts |= {304: "The client's copy is still the response.", 412: "The response isn't the one that was meant."}
    if policy.takes_claims:
        texts |= _CLAIM_REFUSALS
    if policy.overflow is not None:
        texts[202] = "The request waits in the queue; Location says where its response will be."
    return texts


def _add_key(operation: Document, policy: Policy) -> None:
    parameters = operation.setdefault("parameters", [])
    if any(str(each.get("name", "")).lower() == "idempotency-key" for each in parameters):
        return
    parameters.append({**KEY, "required": policy.idempotent is True})


def _add_fields(response: Document, status: str, policy: Policy) -> None:
    names = []
    if policy.limits and not status.startswith("3"):
        names += ["RateLimit", "RateLimit-Policy"]
    if status in {"429", "503", "409"}:
        names.append("Retry-After")
    if policy.overflow is not None and status == "202":
        names += ["Location", "Retry-After"]
    if policy.takes_claims and status.startswith("2"):
        names.append("Idempotent-Replayed")
    if names:
        headers = response.setdefault("headers", {})
        for name in names:
            headers.setdefault(name, {"$ref": f"#/components/headers/{name}"})

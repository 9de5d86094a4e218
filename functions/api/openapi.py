"""What the guard and the edge add to the OpenAPI document: keys, refusals, idempotency, as each policy says.

FastAPI describes what handlers answer; this describes what is answered before they run.
"""

from collections.abc import Iterable
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from functions.api.problems import Problem, problems
from tidegate.gate import DEFAULT_POLICY
from tidegate.policy import Policy, policy_of

EDGE = {403: "No valid `x-api-key`; answered by API Gateway."}
LIMITED = {
    429: "The caller's limit is used up; `Retry-After` says until when.",
    503: "Temporarily short of capacity; `Retry-After` says when to come back.",
}
CLAIMED = {
    400: "No usable `Idempotency-Key`, or a body that isn't JSON.",
    409: "The first request with this key still runs.",
    413: "The body is too large.",
    422: "The key came with another body before.",
}
QUEUED = {
    "description": "The limit is used up: the request waits, and its answer will be at `Location`.",
    "headers": {
        "Location": {"required": True, "schema": {"type": "string"}},
        "Retry-After": {"description": "Seconds.", "required": True, "schema": {"type": "integer", "minimum": 1}},
    },
    "content": {"application/json": {"schema": {"type": "object"}}},
}
WITH_BODY = {400: "The body isn't JSON."}
RETRY_AFTER = {
    "Retry-After": {"description": "Seconds.", "required": True, "schema": {"type": "integer", "minimum": 1}}
}
QUOTED_KEY = r'"(?:[ !#-\[\]-~]|\\["\\]){1,255}"'
BARE_KEY = "[!#-~](?:[ -~]{0,253}[!-~])?"
IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": True,
    "description": "Names this request, best by a UUID: a repetition with the same key gets the first answer "
    "again. In quotes (RFC 9651) or bare.",
    "schema": {"type": "string", "pattern": f"^(?:{QUOTED_KEY}|{BARE_KEY})$"},
    "example": "8e03978e-40d5-43e8-bc93-6894a57f9324",
}
API_KEY = {"type": "apiKey", "in": "header", "name": "x-api-key"}
FASTAPIS_OWN = ("HTTPValidationError", "ValidationError")

Json = dict[str, Any]


def describe(app: FastAPI, routers: Iterable[APIRouter]) -> None:
    """Have the application's OpenAPI document say what the policies of these routers' routes mean."""
    policies = {
        route.operation_id: policy_of(route.endpoint) or Policy()
        for router in routers
        for route in router.routes
        if isinstance(route, APIRoute)
    }

    def document() -> Json:
        if app.openapi_schema is None:
            made = get_openapi(title=app.title, version=app.version, summary=app.summary, routes=app.routes)
            app.openapi_schema = _completed(made, policies)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]  # FastAPI's documented way to extend the document


def _completed(document: Json, policies: dict[str | None, Policy]) -> Json:
    components = document["components"]
    for name in FASTAPIS_OWN:
        components["schemas"].pop(name, None)
    components["schemas"]["Problem"] = Problem.model_json_schema()
    components["securitySchemes"] = {"key": API_KEY}
    for path, operations in document["paths"].items():
        for operation in operations.values():
            _complete(operation, policies.get(operation["operationId"], DEFAULT_POLICY), keyed=path.startswith("/v1/"))
    return document


def _complete(operation: Json, policy: Policy, *, keyed: bool) -> None:
    answers = operation["responses"]
    if keyed:
        operation["security"] = [{"key": []}]
        _add(answers, EDGE)
    if policy.limits:
        _add(answers, LIMITED)
    if policy.takes_claims:
        key = {**IDEMPOTENCY_KEY, "required": policy.idempotent}
        operation.setdefault("parameters", []).append(key)
        _add(answers, CLAIMED)
    if policy.overflow:
        answers["202"] = QUEUED
    if "requestBody" in operation:
        _add(answers, WITH_BODY)
    for status in ("429", "503"):
        if status in answers:
            answers[status]["headers"] = RETRY_AFTER


def _add(answers: Json, described: dict[int, str]) -> None:
    for status, answer in problems(described).items():
        answers.setdefault(str(status), answer)

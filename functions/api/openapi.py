"""The edge's part of the OpenAPI document: keys, and what API Gateway answers without one.

FastAPI describes the responses of handlers, and `protect` those of the guard.
"""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from functions.api.problems import Problem, problems

EDGE = {403: "No valid `x-api-key`; answered by API Gateway."}
WITH_BODY = {400: "The body isn't JSON."}
API_KEY = {"type": "apiKey", "in": "header", "name": "x-api-key"}
FASTAPIS_OWN = ("HTTPValidationError", "ValidationError")

Json = dict[str, Any]


def describe(app: FastAPI) -> None:
    """Add the edge's answers to the application's OpenAPI document."""

    def document() -> Json:
        if app.openapi_schema is None:
            made = get_openapi(title=app.title, version=app.version, summary=app.summary, routes=app.routes)
            app.openapi_schema = _completed(made)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]  # FastAPI's documented way to extend the document


def _completed(document: Json) -> Json:
    components = document["components"]
    for name in FASTAPIS_OWN:
        components["schemas"].pop(name, None)
    components["schemas"]["Problem"] = Problem.model_json_schema()
    components["securitySchemes"] = {"key": API_KEY}
    for path, operations in document["paths"].items():
        for operation in operations.values():
            _complete(operation, keyed=path.startswith("/v1/"))
    return document


def _complete(operation: Json, *, keyed: bool) -> None:
    if keyed:
        operation["security"] = [{"key": []}]
        _add(operation["responses"], EDGE)
    if "requestBody" in operation:
        _add(operation["responses"], WITH_BODY)


def _add(answers: Json, described: dict[int, str]) -> None:
    for status, answer in problems(described).items():
        answers.setdefault(str(status), answer)

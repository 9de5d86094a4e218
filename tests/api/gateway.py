"""API Gateway's REST proxy events, and the function's answers read back."""

import base64
import json
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from fastapi import FastAPI
from mangum import Mangum


@dataclass
class LambdaContext:
    """As much of Lambda's context as anybody here looks at."""

    aws_request_id: str = "request-1"
    remaining_ms: int = 20_000
    function_version: str = "7"

    def get_remaining_time_in_millis(self) -> int:
        return self.remaining_ms


@dataclass(frozen=True)
class Answer:
    """A proxy integration's response."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


@dataclass
class Gateway:
    """Sends requests to the app as API Gateway does: as events, through Mangum."""

    app: FastAPI
    api_key_id: str = "ann"
    context: LambdaContext = field(default_factory=LambdaContext)

    def __post_init__(self) -> None:
        self._handler = Mangum(self.app, lifespan="off")

    def get(self, path: str) -> Answer:
        return self.send(event("GET", path, api_key_id=self.api_key_id))

    def post(self, path: str, body: Any, **headers: str) -> Answer:
        fields = {"content-type": "application/json", **{k.replace("_", "-"): v for k, v in headers.items()}}
        text = body if isinstance(body, str) else json.dumps(body)
        return self.send(event("POST", path, fields, text, api_key_id=self.api_key_id))

    def send(self, proxy_event: dict[str, Any]) -> Answer:
        answer = self._handler(proxy_event, self.context)
        body = base64.b64decode(answer["body"]).decode() if answer["isBase64Encoded"] else answer["body"]
        return Answer(answer["statusCode"], answer["headers"], body)


def event(
    method: str,
    target: str,
    headers: dict[str, str] | None = None,
    body: str | None = None,
    *,
    api_key_id: str | None = "ann",
) -> dict[str, Any]:
    """A REST API's proxy event (payload format 1.0)."""
    url = urlsplit(target)
    query = parse_qs(url.query, keep_blank_values=True)
    fields = {"Host": "abc123.execute-api.us-east-1.amazonaws.com", **(headers or {})}
    return {
        "resource": "/v1/{proxy+}",
        "path": url.path,
        "httpMethod": method,
        "headers": fields,
        "multiValueHeaders": {name: [value] for name, value in fields.items()},
        "queryStringParameters": {name: values[-1] for name, values in query.items()} or None,
        "multiValueQueryStringParameters": query or None,
        "pathParameters": {"proxy": url.path.removeprefix("/v1/")},
        "stageVariables": None,
        "requestContext": {
            "resourcePath": "/v1/{proxy+}",
            "httpMethod": method,
            "path": f"/api{url.path}",
            "stage": "api",
            "apiId": "abc123",
            "requestId": "request-1",
            "requestTimeEpoch": time.time_ns() // 1_000_000,
            "identity": {"sourceIp": "192.0.2.1", "userAgent": "test", "apiKeyId": api_key_id},
        },
        "body": body,
        "isBase64Encoded": False,
    }

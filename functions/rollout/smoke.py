"""Is a version fit to serve? It is asked itself, by its number, before any client reaches it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from functions.rollout.order import Target

# What every version must answer: its readiness, and reads through the real handler, limits and tables.
_SMOKE: tuple[tuple[str, int], ...] = (
    ("/health/ready", 200),
    ("/health/live", 200),
    ("/v1/products", 200),
    ("/v1/products/no-such-product", 404),
)
_READY = _SMOKE[0]
_READ = "/v1/products"
# A busy moment is no reason to refuse a version.
_TRIES = 3
_BETWEEN_S = 1.0
# A header that no client can send: on AWS the gateway sets this address, and here nobody else does.
_SOURCE_IP = "192.0.2.1"


class Answer(NamedTuple):
    """What an invocation gave: a status and a body, or why there is none."""

    status: int | None
    body: Any
    error: str | None


def request(path: str) -> dict[str, Any]:
    """Make the event that API Gateway (REST) sends for a GET."""
    return {
        "resource": "/{proxy+}",
        "path": path,
        "httpMethod": "GET",
        "headers": {"Host": "release.tidegate", "User-Agent": "tidegate-release", "Cache-Control": "no-cache"},
        "multiValueHeaders": {},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "pathParameters": {"proxy": path.lstrip("/")},
        "stageVariables": None,
        "requestContext": {
            "resourcePath": "/{proxy+}",
            "httpMethod": "GET",
            "path": path,
            "stage": "v1",
            "requestId": f"release-{time.time_ns()}",
            "requestTimeEpoch": time.time_ns() // 1_000_000,
            "identity": {"sourceIp": _SOURCE_IP, "userAgent": "tidegate-release"},
        },
        "body": None,
        "isBase64Encoded": False,
    }


class Smoke:
    """Invokes versions by their numbers (a boto3 client of Lambda)."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def faults(self, target: Target) -> list[str]:
        """Return what is wrong with a version, one sentence each; empty: it is fit."""
        for left in reversed(range(_TRIES)):
            found = list(self._queue(target) if target.serves == "queue" else self._http(target))
            if not found or not left:
                return found
            time.sleep(_BETWEEN_S)
        raise AssertionError("the last try returns")

    def warm(self, target: Target, environments: int) -> None:
        """Start so many environments of a version, by as many calls at once."""
        event = {"Records": []} if target.serves == "queue" else request(_READY[0])
        with ThreadPoolExecutor(max(1, environments)) as pool:
            list(pool.map(lambda _: self._invoke(target, event), range(environments)))

    def read_once(self, target: Target) -> None:
        """Make one read through the handler; what comes of it is counted there."""
        self._invoke(target, request(_READ))

    def schema_needed(self, target: Target) -> int | None:
        """Ask a version which schema it was written for."""
        told = self._invoke(target, request("/health")).body
        needed = told.get("schema_version") if isinstance(told, dict) else None
        return needed if isinstance(needed, int) else None

    def _http(self, target: Target) -> Iterator[str]:
        for path, expected in _SMOKE:
            answer = self._invoke(target, request(path))
            if answer.status != expected:
                got = answer.error or f"answers {answer.status}: {_told(answer.body)}"
                yield f"{target.name} version {target.version}, GET {path}: {got}."
                return

    def _queue(self, target: Target) -> Iterator[str]:
        answer = self._invoke(target, {"Records": []})
        if answer.error:
            yield f"{target.name} version {target.version}, an empty batch: {answer.error}."

    def _invoke(self, target: Target, event: dict[str, Any]) -> Answer:
        told = self._client.invoke(
            FunctionName=target.name, Qualifier=target.version, Payload=json.dumps(event).encode()
        )
        document = json.loads(told["Payload"].read() or b"null")
        if "FunctionError" in told:
            return Answer(None, None, _crash(document))
        if not isinstance(document, dict) or "statusCode" not in document:
            return Answer(None, document, None)
        return Answer(document["statusCode"], _body(document.get("body")), None)


def _told(body: Any) -> str:
    """Shorten a body: of a problem its detail says what there is to know (RFC 9457)."""
    detail = body.get("detail") if isinstance(body, dict) else None
    return (detail if isinstance(detail, str) else json.dumps(body))[:400].rstrip(".")


def _crash(document: Any) -> str:
    about = document if isinstance(document, dict) else {}
    return f"crashes ({about.get('errorType', 'Error')}: {str(about.get('errorMessage', document))[:400]})"


def _body(text: object) -> Any:
    try:
        return json.loads(text) if isinstance(text, str) else text
    except ValueError:
        return text

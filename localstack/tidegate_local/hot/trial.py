"""Whether a version starts: it is invoked once, which warms it, before anything is sent to it."""

import json
import time
from typing import Any


def refusal(functions: Any, name: str, version: str, *, queued: bool) -> str | None:
    """Return what a version says that can't be started or used; None: it answers (boto3's client of Lambda).

    One that is `queued` runs messages of a queue, and is given none.
    """
    event = _NO_MESSAGES if queued else _request()
    told = functions.invoke(FunctionName=name, Qualifier=version, Payload=json.dumps(event).encode())
    document: bytes = told["Payload"].read()
    if "FunctionError" not in told:
        return None
    try:
        said = json.loads(document)
        return f"{said.get('errorType', 'Error')}: {said.get('errorMessage', '')}".strip()
    except (ValueError, AttributeError):
        return document.decode(errors="replace")


_NO_MESSAGES: dict[str, Any] = {"Records": []}


def _request() -> dict[str, Any]:
    """The event that API Gateway (REST) sends for GET /: whatever the API says to it, it has started."""
    now_ns = time.time_ns()
    return {
        "resource": "/{proxy+}",
        "path": "/",
        "httpMethod": "GET",
        "headers": {"Host": "watch.tidegate", "User-Agent": "tidegate-watch"},
        "multiValueHeaders": {},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "pathParameters": {"proxy": ""},
        "stageVariables": None,
        "requestContext": {
            "resourcePath": "/{proxy+}",
            "httpMethod": "GET",
            "path": "/",
            "stage": "v1",
            "requestId": f"watch-{now_ns}",
            "requestTimeEpoch": now_ns // 1_000_000,
            "identity": {"sourceIp": "127.0.0.1", "userAgent": "tidegate-watch"},
        },
        "body": None,
        "isBase64Encoded": False,
    }

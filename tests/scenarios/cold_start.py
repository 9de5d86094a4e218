"""A function's environment that is born on command: one line on stdin, one request, its status on stdout.

What it imports is over before, so that as many as are wanted are born at once. Nothing loads botocore beforehand.
"""

from __future__ import annotations

import json
import os
import sys

from fastapi import FastAPI

from tidegate import TokenBucket, lambda_handler, policy, protect

LIMIT = 100


def shop() -> FastAPI:
    """Make a protected application: where a function's variables are, that connects to the stores."""
    app = FastAPI(title="cold")
    protect(app)

    @app.get("/items")
    @policy(limits=[TokenBucket(f"{LIMIT}/h", burst=LIMIT)])
    async def items() -> list[str]:
        return []

    return app


class Context:
    """Lambda's context, as far as the library looks at it."""

    aws_request_id = "r"
    function_name = "cold"
    function_version = "1"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:us-east-1:000000000000:function:cold:1"

    def get_remaining_time_in_millis(self) -> int:
        """Say that there is time."""
        return 10_000


EVENT = {
    "resource": "/items",
    "path": "/items",
    "httpMethod": "GET",
    "headers": {},
    "multiValueHeaders": {},
    "queryStringParameters": None,
    "multiValueQueryStringParameters": None,
    "pathParameters": None,
    "requestContext": {"path": "/items", "stage": "s", "identity": {"sourceIp": "192.0.2.1"}, "requestId": "r"},
    "body": None,
    "isBase64Encoded": False,
}


def main() -> None:
    """Be born, and answer one request, when told to."""
    # The cache and its proxies are never short of processors: on Lambda they aren't these environments' either.
    os.nice(10)
    told = [name for name in ("botocore.session", "botocore.auth") if name in sys.modules]
    print(json.dumps({"imported": told}), flush=True)  # noqa: T201  read by who started this
    sys.stdin.readline()
    status = lambda_handler(shop())(dict(EVENT), Context())["statusCode"]
    print(json.dumps({"status": status}), flush=True)  # noqa: T201  as above


if __name__ == "__main__":
    main()

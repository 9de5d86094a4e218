"""What a newcomer's first application does, without a server and without any extra: requests until one is refused."""

import asyncio
import importlib.util
import json

from fastapi import FastAPI

from tidegate import TokenBucket, policy, protect

app = FastAPI(title="Payments")
protect(app)


@app.get("/payments")
@policy(limits=[TokenBucket("2/h", burst=2)])
async def payments() -> list[str]:
    return []


async def ask() -> int:
    """Return the status of one request."""
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/payments",
        "raw_path": b"/payments",
        "root_path": "",
        "query_string": b"",
        "headers": [],
        "client": ("192.0.2.1", 50000),
        "server": ("127.0.0.1", 80),
    }
    sent = []

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return int(sent[0]["status"])


async def ask_thrice() -> list[int]:
    """Return the statuses of three requests."""
    return [await ask() for _ in range(3)]


if __name__ == "__main__":
    extras = ("boto3", "botocore", "aws_lambda_powertools", "mangum", "httpx", "redis")
    found = [name for name in extras if importlib.util.find_spec(name)]
    print(json.dumps({"statuses": asyncio.run(ask_thrice()), "found": found}))  # noqa: T201  read by the test

"""Run by the Python of a fresh environment: the installed library answers, and version and statuses are printed."""

import asyncio
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI

from tidegate import Policy, Settings, TokenBucket, protect

app = FastAPI(title="Release")
protect(app, settings=Settings(memory_only=True), default=Policy(limits=(TokenBucket("1/h", burst=1),)))


@app.get("/")
async def root() -> str:
    """Answer."""
    return "well"


async def _status() -> int:
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    addresses = {"client": ("192.0.2.1", 50000), "server": ("127.0.0.1", 80)}
    path = {"path": "/", "raw_path": b"/", "root_path": "", "query_string": b"", "headers": []}
    scope = {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http"}
    await app(scope | path | addresses, receive, send)
    return int(sent[0]["status"])


async def _statuses() -> list[int]:
    return [await _status(), await _status()]


if __name__ == "__main__":
    print(version("tidegate"), *asyncio.run(_statuses()))  # noqa: T201  read by `release`

"""Applications behind the guard, with real stores, on both faces."""

import contextlib
import io
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from fastapi import FastAPI

from tests.harness.dynamodb import DynamoServer
from tests.harness.redis_server import RedisServer
from tests.harness.tcp_proxy import TcpProxy
from tests.http.faces import Function, Server
from tidegate import Gate, Settings, protect
from tidegate.telemetry import logger

# Far above what a loaded machine needs: a test that isn't about time must not change stores for lack of it.
AMPLE_MS = 3000


@dataclass(frozen=True)
class Stores:
    """Real stores, each behind a proxy that counts and fails."""

    redis: RedisServer
    to_redis: TcpProxy
    dynamo: DynamoServer
    to_dynamo: TcpProxy
    table: str

    def settings(self, **changes: Any) -> Settings:
        ours: dict[str, Any] = {
            "redis_url": self.to_redis.url(self.redis.url),
            "table": self.table,
            "decision_budget_ms": AMPLE_MS,
            "trust_api_key_header": True,
        }
        return Settings(**(ours | changes))


@pytest.fixture
def stores(
    redis_server: RedisServer, dynamo: DynamoServer, library_table: str, tcp_proxy: Callable[[int], TcpProxy]
) -> Stores:
    """Redis and DynamoDB; what boto is told leads through the proxy, too."""
    made = Stores(redis_server, tcp_proxy(redis_server.port), dynamo, tcp_proxy(dynamo.port), library_table)
    os.environ["AWS_ENDPOINT_URL"] = f"http://{made.to_dynamo.host}:{made.to_dynamo.port}"
    return made


@pytest.fixture
def memory() -> Settings:
    """For what no store has a part in."""
    return Settings(memory_only=True, trust_api_key_header=True)


@pytest.fixture
def closing() -> Iterator[contextlib.ExitStack]:
    """What a test opens; closed at its end."""
    with contextlib.ExitStack() as stack:
        yield stack


Serve = Callable[..., Server]
Deploy = Callable[..., Function]


@pytest.fixture
def serve(closing: contextlib.ExitStack) -> Serve:
    """`serve(app, settings)`: the application on a server; an application that is protected already needs its gate."""

    def start(app: FastAPI, settings: Settings | None = None, *, gate: Gate | None = None, **options: Any) -> Server:
        closing.callback((gate or protect(app, settings=settings, **options)).close)
        return closing.enter_context(contextlib.closing(Server(app)))

    return start


@pytest.fixture
def deploy(closing: contextlib.ExitStack) -> Deploy:
    """`deploy(app, settings)`: the application in one environment of a function."""

    def start(app: FastAPI, settings: Settings, **options: Any) -> Function:
        gate = protect(app, settings=replace(settings, on_lambda=True), **options)
        closing.callback(gate.close)
        return closing.enter_context(contextlib.closing(Function(app)))

    return start


@pytest.fixture(params=["function", "server"])
def run(request: pytest.FixtureRequest) -> Callable[..., Function | Server]:
    """`run(app, settings)`: the test is made on both faces."""
    return request.getfixturevalue("deploy" if request.param == "function" else "serve")  # type: ignore[no-any-return]


class LogLines:
    """The structured lines that the library has written."""

    def __init__(self, stream: io.StringIO) -> None:
        self._stream = stream

    @property
    def text(self) -> str:
        return self._stream.getvalue()

    @property
    def all(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines()]

    @property
    def requests(self) -> list[dict[str, Any]]:
        return [line for line in self.all if line["message"] == "request"]

    @property
    def last(self) -> dict[str, Any]:
        return self.requests[-1]


@pytest.fixture(autouse=True)
def log() -> LogLines:
    """What this test's requests have logged."""
    stream = io.StringIO()
    logger().registered_handler.setStream(stream)
    return LogLines(stream)

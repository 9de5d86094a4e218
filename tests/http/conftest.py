"""Applications behind the guard, with real stores, on both faces."""

import contextlib
import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from tests.harness.patience import be_patient
from tests.harness.proxied_stores import ProxiedStores
from tests.harness.queues import EventSource, Queues
from tests.http.faces import Function, Server
from tests.http.payments import Payments
from tidegate import Gate, Settings, protect
from tidegate.telemetry import structured_logger


@pytest.fixture(autouse=True)
def _patience(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    be_patient(request, monkeypatch)


@pytest.fixture
def brief_settings(stores: ProxiedStores) -> Settings:
    """For tests of outages: a store that doesn't answer is given up soon."""
    return stores.settings(decision_budget_ms=300)


@pytest.fixture
def memory() -> Settings:
    """For what no store has a part in."""
    return Settings(memory_only=True, trust_api_key_header=True)


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


@pytest.fixture
def queues(stores: ProxiedStores) -> Queues:
    """A queue for requests, and its dead letters."""
    return Queues.create(stores.dynamo.endpoint_url, visibility_s=5)


@pytest.fixture
def work(queues: Queues, closing: contextlib.ExitStack) -> Callable[..., EventSource]:
    """`work(application)`: an event source with the worker of what has an `app` and its `gate`."""

    def made(application: Any, **how: Any) -> EventSource:
        worker = application.gate.worker(application.app)
        closing.callback(worker.close)
        return closing.enter_context(contextlib.closing(EventSource(queues, worker, **how)))

    return made


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
    structured_logger().registered_handler.setStream(stream)
    return LogLines(stream)


@pytest.fixture
def payments() -> Payments:
    """An application with idempotent routes, whose runs are counted."""
    return Payments()


@pytest.fixture
def till(tmp_path: Path) -> Path:
    """The file in which the processes of `tests.http.till` write what they took."""
    path = tmp_path / "till"
    path.touch()
    return path

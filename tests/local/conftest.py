import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from tests.local.deployed_function import deploy_function
from tidegate_local import cloud
from tidegate_local.engines.embedded import Embedded
from tidegate_local.engines.engine import PROCESS, Engine
from tidegate_local.layout import StateFolder
from tidegate_local.registry import ProcessRegistry


@pytest.fixture
def folder(tmp_path) -> StateFolder:
    return StateFolder(tmp_path / "state")


@pytest.fixture
def registry(folder) -> Iterator[ProcessRegistry]:
    """A registry whose processes end with the test."""
    registry = ProcessRegistry(folder.processes_file)
    yield registry
    for process in registry.all():
        registry.stop(process.name)


@pytest.fixture(autouse=True)
def _no_redis_of_the_developers(monkeypatch) -> None:
    monkeypatch.delenv("REDIS_URL", raising=False)


@pytest.fixture(scope="module")
def running_engine(tmp_path_factory) -> Iterator[Engine]:
    """An engine for all tests of a module: they make functions of names of their own."""
    folder = StateFolder(tmp_path_factory.mktemp("engine"))
    registry = ProcessRegistry(folder.processes_file)
    try:
        yield Embedded().ensure(folder, registry)
    finally:
        registry.stop(PROCESS)


@pytest.fixture
def functions(running_engine) -> Iterator[Any]:
    """A boto3 client of the engine's Lambda."""
    with contextlib.closing(cloud.client("lambda", running_engine.url)) as client:
        yield client


@pytest.fixture
def make_function(functions):
    """`make_function(name, source)` makes a function whose handler is index.handler."""
    return lambda name, source: deploy_function(functions, name, source)

"""The shapes, started once for the tests of a module that ask them."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness.redis_server import RedisServer
from tests.runtimes.shapes import SHAPES, Runner, Shape


@pytest.fixture(scope="module", params=SHAPES, ids=lambda shape: shape.name)
def _runner(request: pytest.FixtureRequest, tmp_path_factory: Any, _shared_redis: RedisServer) -> Iterator[Runner]:
    runner = Runner(request.param, tmp_path_factory.mktemp("shape"), _shared_redis.url)
    with contextlib.closing(runner):
        runner.start()
        yield runner


@pytest.fixture
def runner(_runner: Runner) -> Runner:
    """A shape that runs, in a folder without what the test before has written."""
    for name in ("go-on", "payments", "slow", "streams"):
        (_runner.folder / name).unlink(missing_ok=True)
    return _runner


@pytest.fixture
def started(tmp_path: Path, redis_server: RedisServer, closing: contextlib.ExitStack) -> Callable[..., Runner]:
    """`started(shape, …)`: a shape of the test's own."""

    def start(shape: Shape, **variables: str) -> Runner:
        made = closing.enter_context(contextlib.closing(Runner(shape, tmp_path, redis_server.url, **variables)))
        made.start()
        return made

    return start

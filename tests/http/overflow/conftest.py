"""An application whose requests may wait in the queue, after alice has had what its limit admits."""

import contextlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.harness.proxied_stores import ProxiedStores
from tests.harness.queues import Queues
from tests.http.faces import Function, Server
from tests.http.overflow.exports import AMPLE, Exports, export
from tidegate import TokenBucket

NewExports = Callable[..., Exports]
Face = type[Function | Server]


@pytest.fixture
def face(request: pytest.FixtureRequest) -> Face:
    """The function's, unless the test is made on both."""
    return getattr(request, "param", Function)


@pytest.fixture
def new_exports(stores: ProxiedStores, queues: Queues, face: Face, closing: contextlib.ExitStack) -> NewExports:
    """`new_exports(limit, **settings)`: the application, with a limit of one request a minute unless one is given."""
    urls = {"queue_url": queues.requests, "dead_letter_url": queues.dead_letters}
    settings = stores.settings(queue_bound=3, queue_expiry_ms=600_000, on_lambda=face is Function, **urls)

    def make(limit: TokenBucket | None = None, **changes: Any) -> Exports:
        made = Exports(replace(settings, **changes), limit)
        closing.callback(made.gate.close)
        return made

    return make


@pytest.fixture
def exports(new_exports: NewExports) -> Exports:
    return new_exports()


@pytest.fixture
def api(exports: Exports, face: Face, closing: contextlib.ExitStack) -> Function | Server:
    """Alice has had what her limit admits."""
    made = closing.enter_context(contextlib.closing(face(exports.app)))
    assert export(made, 0).status_code == 201
    return made


@pytest.fixture
def behind(new_exports: NewExports) -> Exports:
    """The application as the worker has it, when the limits admit again."""
    return new_exports(AMPLE)

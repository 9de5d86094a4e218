"""A pytest plugin: no test leaves botocore's idle connections to the garbage collector.

A client that is closed only forgets its pools, and urllib3 closes a pool's sockets when the pool is collected. If an
error's traceback still holds the pool, socket and pool are collected together, the socket often first: Python finds it
unclosed, in whatever test is running then.
"""

from __future__ import annotations

import contextlib
import queue
from collections.abc import Iterator
from typing import Any
from weakref import WeakSet

import pytest
from urllib3.connectionpool import HTTPConnectionPool

_POOLS: WeakSet[HTTPConnectionPool] = WeakSet()


def pytest_configure() -> None:
    """Know every pool that this process makes from now on."""
    make = HTTPConnectionPool.__init__

    def known(pool: HTTPConnectionPool, *arguments: Any, **options: Any) -> None:
        make(pool, *arguments, **options)
        _POOLS.add(pool)

    HTTPConnectionPool.__init__ = known  # type: ignore[method-assign]


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown() -> Iterator[None]:
    """A hook, not a fixture: hypothesis warns of those."""
    yield
    for pool in list(_POOLS):
        close_idle(pool)


def close_idle(pool: HTTPConnectionPool) -> None:
    """Close the connections that nobody uses; a pool that somebody goes on with opens new ones."""
    places = pool.pool
    if places is None:
        return
    idle = []
    for _ in range(places.qsize()):
        with contextlib.suppress(queue.Empty):
            idle.append(places.get_nowait())
    for connection in idle:
        if connection is not None:
            connection.close()
    for _ in idle:
        with contextlib.suppress(queue.Full):
            places.put_nowait(None)

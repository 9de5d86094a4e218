"""A pytest plugin: an event loop that a test leaves open fails that test.

Otherwise Python finds it unclosed when it is collected, in whatever test is running then. A loop that a thread runs is
somebody's server or proxy, and outlives a test rightly.
"""

from __future__ import annotations

import threading
from asyncio.base_events import BaseEventLoop
from collections.abc import Iterator
from typing import Any
from weakref import WeakSet

import pytest

_LOOPS: WeakSet[BaseEventLoop] = WeakSet()


def pytest_configure() -> None:
    """Know every loop that the tests' own thread makes from now on."""
    make = BaseEventLoop.__init__

    def known(loop: BaseEventLoop, *arguments: Any, **options: Any) -> None:
        make(loop, *arguments, **options)
        if threading.current_thread() is threading.main_thread():
            _LOOPS.add(loop)

    BaseEventLoop.__init__ = known  # type: ignore[method-assign]


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown() -> Iterator[None]:
    """Look when all fixtures of the test have ended."""
    yield
    left = [loop for loop in _LOOPS if not loop.is_closed() and not loop.is_running()]
    if left:
        told = f"The test left event loops open: {left}. Close them where they are made."
        for loop in left:
            loop.close()
        pytest.fail(told)

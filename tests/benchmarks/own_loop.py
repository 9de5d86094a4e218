"""A handler on the event loop that it has in a function of its own, whoever else is measured in the same process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any


class OwnLoop:
    """Makes a handler as if it were alone, and invokes it.

    Args:
        make: makes the handler; it may set the thread's event loop, and otherwise gets one as Mangum makes it.
    """

    def __init__(self, make: Callable[[], Any]) -> None:
        asyncio.set_event_loop(None)
        self._handler = make()
        self._loop = asyncio.get_event_loop()

    def __call__(self, event: dict[str, Any], context: Any) -> dict[str, Any]:
        """Invoke it."""
        reply: dict[str, Any] = self._handler(event, context)
        return reply

    def enter(self) -> None:
        """Make its loop the thread's, before it is invoked."""
        asyncio.set_event_loop(self._loop)

"""Work that goes on to its end though the task that waits for it is cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from tidegate.telemetry import logger

# The event loop keeps only weak references to its tasks.
_UNDER_WAY: set[asyncio.Task[None]] = set()


async def unbroken(work: Coroutine[Any, Any, None], when_left: Callable[[], None]) -> None:
    """Run work in a task of its own and wait for it.

    Args:
        work: what must not end half-way.
        when_left: called if who waits is cancelled before the work has ended; it goes on by itself.
    """
    task = asyncio.get_running_loop().create_task(work)
    _UNDER_WAY.add(task)
    task.add_done_callback(_UNDER_WAY.discard)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        if not task.done():
            when_left()
            task.add_done_callback(_report)
        raise


def _report(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        logger().error("unhandled exception", exc_info=error)

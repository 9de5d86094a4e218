"""Work that runs to its end even if the task that waits for it is cancelled."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

import anyio

from tidegate.telemetry import logger

# The event loop keeps only weak references to its tasks.
_UNDER_WAY: set[asyncio.Task[None]] = set()
Result = TypeVar("Result")


async def run_uncancelled(work: Coroutine[Any, Any, None], when_left: Callable[[], None]) -> None:
    """Run work in a task of its own and wait for it.

    Args:
        work: the coroutine that must not be cancelled.
        when_left: called if the waiting task is cancelled before the work has ended; the work then goes on by itself.
    """
    task = _under_way(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        if not task.done():
            when_left()
            task.add_done_callback(_report)
        raise


async def heard_out(work: Awaitable[Result], take_back: Callable[[Result], Awaitable[None]]) -> Result:
    """Wait for work, and return its result.

    Args:
        work: what goes on by itself if the waiting task is cancelled.
        take_back: called with its result then.
    """
    working = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(working)
    except asyncio.CancelledError:
        _under_way(_taken_back(working, take_back)).add_done_callback(_report)
        raise


async def _taken_back(working: Awaitable[Result], take_back: Callable[[Result], Awaitable[None]]) -> None:
    await take_back(await working)


def to_its_end() -> AbstractContextManager[object]:
    """Return a context in which a request that is cancelled may still wait for its end's own calls to stores.

    asyncio cancels once, and anyio at every wait, until its scope is left: a slot or a lease would be left behind.
    """
    cancelled = isinstance(sys.exception(), asyncio.CancelledError)
    return anyio.CancelScope(shield=True) if cancelled else nullcontext()


def _under_way(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    task = asyncio.get_running_loop().create_task(work)
    _UNDER_WAY.add(task)
    task.add_done_callback(_UNDER_WAY.discard)
    return task


def _report(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        logger().error("unhandled exception", exc_info=error)


async def ended_runs(within_s: float) -> int:
    """Wait for the runs of this loop, also those that nobody waits for; return how many haven't ended in time."""
    loop = asyncio.get_running_loop()
    running = {task for task in _UNDER_WAY if task.get_loop() is loop}
    if not running:
        return 0
    _, pending = await asyncio.wait(running, timeout=within_s)
    return len(pending)

"""Sending through a transport that may ignore a cancellation, such as an application in this process with its threads.

A cancelled scope of `anyio` waits until its tasks have ended, and a handler that blocks a thread may take long. In a
task of its own it isn't waited for, just as a remote server wouldn't be.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import anyio
import httpx

_left_alone: set[asyncio.Task[httpx.Response]] = set()


async def run_apart(send: Callable[[], Awaitable[httpx.Response]], patience_s: float) -> httpx.Response | None:
    """Return the response if it comes in time; else cancel the sending, and return None.

    Args:
        send: sends the request.
        patience_s: how long to wait, in seconds.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:  # another event loop than asyncio's, where every task belongs to a scope
        with anyio.move_on_after(patience_s):
            return await send()
        return None
    is_late = False

    async def sending() -> httpx.Response:
        response = await send()
        if is_late:
            await response.aclose()
        return response

    task = asyncio.ensure_future(sending())
    try:
        done, _ = await asyncio.wait({task}, timeout=patience_s)
    except BaseException:
        is_late = True
        _leave_alone(task)
        raise
    if done:
        return task.result()
    is_late = True
    _leave_alone(task)
    return None


def _leave_alone(task: asyncio.Task[httpx.Response]) -> None:
    task.cancel()
    _left_alone.add(task)
    task.add_done_callback(_forget)


def _forget(task: asyncio.Task[httpx.Response]) -> None:
    _left_alone.discard(task)
    if not task.cancelled():
        task.exception()  # retrieved, so that asyncio doesn't log it

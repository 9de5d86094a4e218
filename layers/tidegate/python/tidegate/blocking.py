"""Waiting for blocking calls: inline on Lambda, on threads in a server."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from tidegate.steps import Steps, run, run_on_loop

if TYPE_CHECKING:
    from concurrent.futures import Executor


Result = TypeVar("Result")


class BlockingRunner:
    """Runs blocking calls for coroutines, inline or on threads.

    On Lambda one request runs at a time, so a blocking call delays no other, and a thread would only take time. In a
    server calls run on threads. Calls that may take long have threads of their own (a bulkhead, as in Nygard's "Release
    It!"): while DynamoDB hangs, each claim holds a thread for seconds, and neither decisions nor settlements may queue
    behind them.

    Args:
        inline: whether to call on the event loop's own thread.
        name: the threads' name.
    """

    def __init__(self, *, inline: bool, name: str = "tidegate") -> None:
        self._threads: Executor | None = None
        if not inline:
            from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415  a function's cold start needs none

            self._threads = ThreadPoolExecutor(max_workers=64, thread_name_prefix=name)

    @property
    def inline(self) -> bool:
        """Whether calls block the event loop."""
        return self._threads is None

    async def __call__(self, call: Callable[[], Result]) -> Result:
        """Run a call and return its result."""
        if self._threads is None:
            return call()
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)

    def steps(self, steps: Steps[Result]) -> Awaitable[Result]:
        """Take steps to their result: inline, or on the event loop with only what must block on threads."""
        return _inline(steps) if self._threads is None else run_on_loop(steps, self)


async def _inline(steps: Steps[Result]) -> Result:
    return run(steps)

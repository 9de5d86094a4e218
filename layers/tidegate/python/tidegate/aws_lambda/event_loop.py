"""An event loop for one request at a time, which runs no turn that isn't needed.

Mangum makes a task of each request and runs the loop until the task has ended. On a plain loop the task's first step
waits for one turn and its end for another. That takes a tenth of FastAPI's time for a small response. Here a task that
is made outside of the loop is started at once. If it ends without waiting, the loop isn't run at all.

Source: "Eager task execution" in CPython's documentation of asyncio, since 3.12.

It uses private names of asyncio (`_ready`, `_scheduled`, `_selector`), so `lambda_handler` takes it only on the
versions of CPython on which its tests run.
"""

from __future__ import annotations

import asyncio
import sys
from asyncio.events import _get_running_loop, _set_running_loop
from collections.abc import Awaitable, Coroutine, Generator
from typing import Any, TypeVar

Result = TypeVar("Result")


class EagerLoop(asyncio.SelectorEventLoop):
    """An event loop that behaves as any other to the code that runs in it; needs Python 3.12."""

    _starting = False

    def is_running(self) -> bool:
        """Return whether the loop runs, or a task's first step before the first turn."""
        return self._starting or super().is_running()

    def create_task(
        self, coro: Generator[Any, None, Result] | Coroutine[Any, Any, Result], **options: Any
    ) -> asyncio.Task[Result]:
        """Make a task; if no loop runs, the task is run at once until it waits for something.

        Args:
            coro: the task's coroutine.
            options: `name` and `context`, as for any loop.

        Raises:
            RuntimeError: the loop is closed.
        """
        if _get_running_loop() is not None or self.is_closed() or self.get_task_factory() is not None:
            return super().create_task(coro, **options)
        hooks = sys.get_asyncgen_hooks()
        # The same as at the beginning and the end of a run of the loop.
        self._starting = True
        sys.set_asyncgen_hooks(self._asyncgen_firstiter_hook, self._asyncgen_finalizer_hook)  # type: ignore[attr-defined]
        _set_running_loop(self)
        try:
            return asyncio.Task(coro, loop=self, eager_start=True, **options)  # type: ignore[call-arg]
        finally:
            _set_running_loop(None)
            sys.set_asyncgen_hooks(*hooks)
            self._starting = False

    def run_until_complete(self, future: Generator[Any, None, Result] | Awaitable[Result]) -> Result:
        """Run the loop until the future is done; take no turn if it is and nothing else waits for one.

        Returns:
            The future's result.

        Raises:
            RuntimeError: the loop is closed or runs already.
            Exception: the future's.
        """
        if isinstance(future, asyncio.Task) and future.done() and self._rests:
            return future.result()  # type: ignore[no-any-return]
        return super().run_until_complete(future)

    @property
    def _rests(self) -> bool:
        """Whether a turn would do nothing: there is no callback, no timer, and no file except the loop's own."""
        if self.is_closed() or self._ready or self._scheduled:  # type: ignore[attr-defined]
            return False
        return len(self._selector.get_map()) == 1  # type: ignore[attr-defined]

"""An event loop for one request at a time: what needs no turn of the loop gets none.

Mangum makes a task of each request and runs the loop until the task has ended. On a plain loop its first step waits
for one turn and its end for another, which is a tenth of the time that FastAPI takes for a small answer. Here a task
that is made outside of the loop is started at once, and if it has ended by then, the loop isn't run at all.

Source: "Eager task execution" in CPython's documentation of asyncio, since 3.12.
"""

from __future__ import annotations

import asyncio
import sys
from asyncio.events import _get_running_loop, _set_running_loop
from collections.abc import Awaitable, Coroutine, Generator
from typing import Any, TypeVar

Result = TypeVar("Result")


class EagerLoop(asyncio.SelectorEventLoop):
    """Behaves as any event loop to what runs in it; needs Python 3.12."""

    _starting = False

    def is_running(self) -> bool:
        """Whether something runs in it: in a turn, or before the first."""
        return self._starting or super().is_running()

    def create_task(
        self, coro: Generator[Any, None, Result] | Coroutine[Any, Any, Result], **options: Any
    ) -> asyncio.Task[Result]:
        """Make a task; if no loop runs, it is run here until it waits for something.

        Args:
            coro: what it runs.
            options: `name` and `context`, as of any loop.

        Raises:
            RuntimeError: the loop is closed.
        """
        if _get_running_loop() is not None or self.is_closed() or self.get_task_factory() is not None:
            return super().create_task(coro, **options)
        hooks = sys.get_asyncgen_hooks()
        # As a turn of the loop begins and ends.
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
        """Run the loop until that has ended, which takes no turn if it has and nothing else waits for one.

        Returns:
            Its result.

        Raises:
            RuntimeError: the loop is closed or runs already.
            Exception: what ended it.
        """
        if isinstance(future, asyncio.Task) and future.done() and self._rests:
            return future.result()  # type: ignore[no-any-return]
        return super().run_until_complete(future)

    @property
    def _rests(self) -> bool:
        """Whether a turn would do nothing: no callback, no timer, and no file but the one that wakes the loop."""
        if self.is_closed() or self._ready or self._scheduled:  # type: ignore[attr-defined]
            return False
        return len(self._selector.get_map()) == 1  # type: ignore[attr-defined]

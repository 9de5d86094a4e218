"""An event loop that runs only when told to, on a clock that moves only when told to.

What a request awaits of the stores or of its handler is a `Pause`; the simulation says which of them ends next.
The rest (tasks, timers, context variables) is asyncio's own.
"""

import asyncio
import heapq
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tidegate.clock import Clock


class HeldLoop(asyncio.AbstractEventLoop):
    """One environment's event loop."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ready: deque[asyncio.Handle] = deque()
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._made = 0
        self.errors: list[dict[str, Any]] = []

    def drain(self) -> None:
        """Run everything that is ready or due."""
        with running(self):
            while self._ready or self._due():
                handle = self._ready.popleft() if self._ready else heapq.heappop(self._timers)[2]
                if not handle.cancelled():
                    handle._run()

    def _due(self) -> bool:
        return bool(self._timers) and self._timers[0][0] <= self.time()

    def time(self) -> float:
        return self._clock.monotonic()

    def call_soon(self, callback: Callable[..., object], *args: Any, context: Any = None) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    call_soon_threadsafe = call_soon

    def call_later(
        self, delay: float, callback: Callable[..., object], *args: Any, context: Any = None
    ) -> asyncio.TimerHandle:
        return self.call_at(self.time() + delay, callback, *args, context=context)

    def call_at(
        self, when: float, callback: Callable[..., object], *args: Any, context: Any = None
    ) -> asyncio.TimerHandle:
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        self._made += 1  # timers of one moment fire in the order they were made
        heapq.heappush(self._timers, (when, self._made, handle))
        return handle

    def create_future(self) -> "asyncio.Future[Any]":
        return asyncio.Future(loop=self)

    def create_task(self, coro: Any, **options: Any) -> "asyncio.Task[Any]":
        return asyncio.Task(coro, loop=self, **options)

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        self.errors.append(context)

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """A cancelled timer is skipped when it is due."""


@contextmanager
def running(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """Let `loop` run, and put aside the loop and the task in the midst of which that happens."""
    outer = asyncio._get_running_loop()
    task = asyncio.current_task(outer) if outer else None
    if outer and task:
        asyncio.tasks._leave_task(outer, task)
    asyncio._set_running_loop(loop)
    try:
        yield
    finally:
        asyncio._set_running_loop(outer)
        if outer and task:
            asyncio.tasks._enter_task(outer, task)

"""Blocking calls with a bound on the whole wait, wherever they hang.

A driver bounds a connect and a read, but not the look-up of a name or of credentials, and not the sum of all steps.
Here a call runs on a thread, and is given up when its time is over. The driver's own timeouts only end calls that were
given up. The threads delay neither the end of the process nor, after a fork, the child.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Event, Lock, Thread
from typing import Any, Generic, TypeVar

Result = TypeVar("Result")

# A thread that has had nothing to do for so long ends. Else each application that a test makes would leave some behind.
_IDLE_FOR_S = 10.0


class _BoundedCall(Generic[Result]):
    """A call, and its result or error."""

    __slots__ = ("call", "done", "error", "given_up", "result")

    def __init__(self, call: Callable[[], Result]) -> None:
        self.call = call
        self.done = Event()
        self.given_up = False
        self.result: Result
        self.error: BaseException | None = None

    def run(self) -> None:
        """Make the call, unless it was given up."""
        try:
            if not self.given_up:
                self.result = self.call()
        except BaseException as error:  # noqa: BLE001  raised to the waiting caller
            self.error = error
        finally:
            self.done.set()


class Bounded:
    """Runs calls on threads of its own.

    Args:
        name: the threads' name.
        most: the most threads; further calls wait for one, within their time.
        idle_for_s: seconds without a call after which a thread ends.
    """

    def __init__(self, name: str, most: int = 32, idle_for_s: float = _IDLE_FOR_S) -> None:
        self._name = name
        self._idle_for_s = idle_for_s
        self._most = most
        self._begin()

    def run(self, call: Callable[[], Result], seconds: float) -> Result:
        """Make a call and return its result.

        Raises:
            TimeoutError: the call didn't end in time; it may still go on.
        """
        if self._process != os.getpid():  # a fork has none of its parent's threads
            self._begin()
        errand = _BoundedCall(call)
        with self._lock:
            self._waiting += 1
            if self._waiting > self._threads - self._busy and self._threads < self._most:
                self._threads += 1
                Thread(target=self._work, args=(self._errands,), name=self._name, daemon=True).start()
        self._errands.put(errand)
        if not errand.done.wait(seconds):
            errand.given_up = True
            raise TimeoutError(f"no answer in {seconds * 1000:.0f} ms")
        if errand.error is not None:
            raise errand.error
        return errand.result

    def _begin(self) -> None:
        self._process = os.getpid()
        self._lock = Lock()
        self._errands: SimpleQueue[_BoundedCall[Any]] = SimpleQueue()
        self._threads = self._busy = self._waiting = 0

    def _work(self, errands: SimpleQueue[_BoundedCall[Any]]) -> None:
        while True:
            try:
                errand = errands.get(timeout=self._idle_for_s)
            except Empty:
                with self._lock:
                    if self._waiting:  # for an errand that comes in this moment
                        continue
                    self._threads -= 1
                return
            with self._lock:
                self._waiting -= 1
                self._busy += 1
            errand.run()
            del errand
            with self._lock:
                self._busy -= 1

"""Something that is read again and again, each in a thread of its own: one that hangs holds up no other."""

from collections.abc import Callable
from contextlib import ExitStack
from threading import Event, Thread
from typing import Generic, TypeVar

Value = TypeVar("Value")
Read = Callable[[], Value]


class Gauge(Generic[Value]):
    """Reads from the time it is made to its close; `value` is what was read last, None after a failure (see `error`).

    `prepare` makes what is read with; what it enters into the stack is left at the end.
    """

    def __init__(self, name: str, every_s: float, prepare: Callable[[ExitStack], Read[Value]]) -> None:
        self.value: Value | None = None
        self.error: str | None = None
        self._every_s = every_s
        self._prepare = prepare
        self._stop = Event()
        Thread(target=self._run, name=f"console-{name}", daemon=True).start()

    def close(self) -> None:
        """Let the thread end after the reading that is under way."""
        self._stop.set()

    def _run(self) -> None:
        with ExitStack() as held:
            read: Read[Value] | None = None
            while not self._stop.is_set():
                try:
                    read = read or self._prepare(held)
                    self.value, self.error = read(), None
                except Exception as error:  # noqa: BLE001 - whatever it is, it is shown, and read again
                    self.value, self.error = None, f"{type(error).__name__}: {error}"
                self._stop.wait(self._every_s)

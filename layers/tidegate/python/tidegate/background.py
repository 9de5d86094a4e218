"""Work for which no client waits, on one or two threads; only the environment's end waits for it.

On Lambda it runs while handlers run, and rests between requests.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Condition

from tidegate.errors import StoreUnavailableError

_ENDS_WITHIN_S = 2.0


class Background:
    """Runs errands, at most one of each name at a time; a store's failure is ignored."""

    def __init__(self) -> None:
        self._threads: ThreadPoolExecutor | None = None
        self._pending: set[str] = set()
        self._changed = Condition()

    def submit(self, name: str, errand: Callable[[], object]) -> bool:
        """Run an errand soon; return False if one of that name hasn't ended."""
        with self._changed:
            if name in self._pending:
                return False
            self._pending.add(name)
        self._start(lambda: self._run(name, errand))
        return True

    def close(self) -> None:
        """Wait for the errands under way, 2 s at most: their clients have timeouts. Later ones run on new threads."""
        with self._changed:
            threads, self._threads = self._threads, None
            if threads is not None:
                threads.shutdown(wait=False)
            self._changed.wait_for(lambda: not self._pending, _ENDS_WITHIN_S)

    def _start(self, work: Callable[[], None]) -> None:
        with self._changed:
            if self._threads is None:
                self._threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="tidegate-background")
            self._threads.submit(work)

    def _run(self, name: str, errand: Callable[[], object]) -> None:
        try:
            errand()
        except StoreUnavailableError:
            return  # the errand is tried again when it is next due
        finally:
            with self._changed:
                self._pending.discard(name)
                self._changed.notify_all()

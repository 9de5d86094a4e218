"""Work off the clients' way: one thread, and nothing waits for it.

On Lambda it runs while handlers run, and rests between requests.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Lock

from tidegate.errors import StoreUnavailableError


class Background:
    """Runs errands, at most one of each name at a time; a store that fails is nobody's error here."""

    def __init__(self) -> None:
        self._threads: ThreadPoolExecutor | None = None
        self._pending: set[str] = set()
        self._lock = Lock()

    def submit(self, name: str, errand: Callable[[], object]) -> bool:
        """Run an errand soon; False if one of that name hasn't ended."""
        with self._lock:
            if name in self._pending:
                return False
            self._pending.add(name)
            if self._threads is None:
                self._threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="tidegate-background")
        self._start(lambda: self._run(name, errand))
        return True

    def _start(self, work: Callable[[], None]) -> None:
        if self._threads is not None:
            self._threads.submit(work)

    def _run(self, name: str, errand: Callable[[], object]) -> None:
        try:
            errand()
        except StoreUnavailableError:
            return  # what it was for is tried again when it is next due
        finally:
            self._pending.discard(name)

"""Clients that ask one after the other without an end, through a fault's beginning and its end."""

from __future__ import annotations

import threading
import time
from collections import Counter
from types import TracebackType
from typing import Self

from tests.scenarios.environment import Environment


class Load:
    """As many clients as the environment takes at once; a context manager that stops them.

    Args:
        environment: whom they ask.
        path: what they ask for.
        caller: in whose name.
        pause_s: each client's rest between two requests.
    """

    def __init__(self, environment: Environment, path: str, caller: str, pause_s: float) -> None:
        self._environment = environment
        self._path = path
        self._caller = caller
        self._pause_s = pause_s
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._ask, daemon=True) for _ in range(environment.concurrency)]
        self.statuses: Counter[int] = Counter()
        self.errors: list[str] = []

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    @property
    def answered(self) -> int:
        return sum(self.statuses.values())

    def go_on(self, requests: int, seconds: float = 0.0, *, within_s: float = 60.0) -> None:
        """Return after so many more answers, and not before so many seconds."""
        began, before = time.monotonic(), self.answered
        while self.answered - before < requests or time.monotonic() - began < seconds:
            if self.errors:
                raise AssertionError(f"a client got no answer: {self.errors[0]}\n{self._environment.log_tail()}")
            if time.monotonic() - began > within_s:
                raise AssertionError(f"{self.answered - before} of {requests} answers in {within_s} s")
            time.sleep(0.005)

    def _ask(self) -> None:
        client = self._environment.client()
        while not self._over.is_set():
            try:
                status = client.request("GET", self._path, self._caller).status
            except OSError as error:
                self.errors.append(repr(error))
                break
            self.statuses[status] += 1
            self._over.wait(self._pause_s)
        client.close()

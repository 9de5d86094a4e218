"""Background work without threads, whose order would be the operating system's."""

from __future__ import annotations

from collections.abc import Callable

from tidegate.background import Background


class InlineBackground(Background):
    """What is begun in the background is done at once."""

    def _start(self, work: Callable[[], None]) -> None:
        work()

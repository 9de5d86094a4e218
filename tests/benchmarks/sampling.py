"""A sampling profiler: where one thread's time goes, without slowing down what is called often.

cProfile pays for every call, so it shows small functions far too dear. This one looks at the stack on a timer
(SIGALRM); a blocking call is interrupted, looked at and resumed (PEP 475), so waiting counts as time, too.
"""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import FrameType, TracebackType
from typing import Self

EVERY_S = 0.0004


@dataclass(frozen=True)
class Place:
    """A function, by its file."""

    file: str
    function: str


Stack = tuple[Place, ...]


class Samples:
    """Takes samples of the main thread while it is entered.

    Args:
        sorts: each says of a stack, the innermost place first, what the sample counts for.
    """

    def __init__(self, *sorts: Callable[[Stack], str]) -> None:
        self._counts: list[tuple[Callable[[Stack], str], Counter[str]]] = [(sort, Counter()) for sort in sorts]

    def __enter__(self) -> Self:
        signal.signal(signal.SIGALRM, self._take)
        signal.setitimer(signal.ITIMER_REAL, EVERY_S, EVERY_S)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_IGN)

    def shares(self) -> list[list[tuple[str, float]]]:
        """For each sort what the samples counted for, the greatest share first."""
        return [[(name, count / counts.total()) for name, count in counts.most_common()] for _, counts in self._counts]

    def _take(self, _: int, frame: FrameType | None) -> None:
        stack = tuple(_stack(frame))
        for sort, counts in self._counts:
            counts[sort(stack)] += 1


def _stack(frame: FrameType | None) -> Iterator[Place]:
    while frame is not None:
        yield Place(frame.f_code.co_filename, frame.f_code.co_qualname)
        frame = frame.f_back

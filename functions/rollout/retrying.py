"""Work that may be repeated, again after pauses that double."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from functions.rollout.clock import now_s, pause

T = TypeVar("T")

# The longest pause between two tries; seconds.
_LONGEST_PAUSE_S = 8


def retried(work: Callable[[], T], within_s: int, passes: Callable[[Exception], bool]) -> T:
    """Do work, again as long as it raises what passes.

    Args:
        work: the work.
        within_s: for how long it is tried; seconds.
        passes: whether an error may be gone at the next try.

    Raises:
        Exception: what the work raised; what passes only after that time.
    """
    until_s, pause_s = now_s() + within_s, 1
    while True:
        try:
            return work()
        except Exception as error:
            if not passes(error) or now_s() + pause_s > until_s:
                raise
        pause(pause_s)
        pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

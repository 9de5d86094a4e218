"""A timeout that shrinks with the time that is left for a call.

httpcore applies one timeout to every single read and write of a phase, so a server that sends a byte now and then never
times out. The transports pass a number that also holds the call's end.
"""

from __future__ import annotations

from typing import Self

from tidegate.clock import Clock


class End:
    """The end of an attempt, which may be moved nearer.

    Args:
        clock: gives the time.
        until_s: the end, in seconds of its monotonic time.
    """

    __slots__ = ("_clock", "_until_s")

    def __init__(self, clock: Clock, until_s: float) -> None:
        self._clock = clock
        self._until_s = until_s

    @property
    def left_s(self) -> float:
        """The seconds until the end; 0 or less once it has passed."""
        return self._until_s - self._clock.monotonic()

    def within(self, seconds: float) -> None:
        """Move the end to so many seconds from now, unless it is nearer already."""
        self._until_s = min(self._until_s, self._clock.monotonic() + seconds)


class Shrinking(float):
    """A timeout in seconds, with an end that bounds it when it is used.

    Args:
        seconds: its largest value.
        end: the end.
    """

    __slots__ = ("_end",)

    _end: End

    def __new__(cls, seconds: float, end: End) -> Self:
        """Make the number, and keep the end beside it."""
        made = super().__new__(cls, seconds)
        made._end = end
        return made

    @property
    def now_s(self) -> float:
        """Its present value; 0 or less once the end has passed."""
        return min(float(self), self._end.left_s)

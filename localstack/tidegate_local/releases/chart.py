"""Charts over a release's minutes: where their lines lie in the picture. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar


@dataclass(frozen=True)
class Chart:
    """Lines over minutes, from 0 to the highest value.

    `label` writes a value at the axis. Lines are by the CSS class that colours them, of equal length; None breaks one.
    In a `stepped` chart a value holds for its whole minute.
    """

    title: str
    label: Callable[[float], str]
    lines: Mapping[str, Sequence[float | None]]
    stepped: bool = False
    width: ClassVar[int] = 720
    left: ClassVar[int] = 64
    right: ClassVar[int] = 708
    height: ClassVar[int] = 170
    top: ClassVar[int] = 12
    bottom: ClassVar[int] = 146

    def path(self, values: Sequence[float | None]) -> str:
        """Return a line as the data of an SVG path."""
        path = ""
        for minute, (before, value) in enumerate(pairwise([None, *values])):
            if value is not None:
                # A minute between two without a value is a dot: a line to itself, with a round cap.
                begin, end = (minute, minute + 1) if self.stepped else (minute + 0.5, minute + 0.5)
                y = f"{self.y(value):.1f}"
                path += f"{'M' if before is None else 'L'}{self.x(begin):.1f} {y}L{self.x(end):.1f} {y}"
        return path

    def x(self, minute: float) -> float:
        """Say how far right a minute begins."""
        return self.left + (self.right - self.left) * minute / max(1, self.minutes)

    def y(self, value: float) -> float:
        """Say how far down a value lies."""
        return self.bottom - (self.bottom - self.top) * value / self.highest

    @property
    def minutes(self) -> int:
        """How many there are."""
        return max(map(len, self.lines.values()))

    @property
    def highest(self) -> float:
        """The highest value, or 1 where all are 0."""
        return max((value for line in self.lines.values() for value in line if value is not None), default=0.0) or 1.0

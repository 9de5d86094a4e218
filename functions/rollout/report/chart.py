"""Charts as SVG inside a page: lines over minutes, drawn without a library."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from html import escape
from typing import NamedTuple

WIDTH, HEIGHT = 720, 170
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 12, 12, 24
_GRID = 4


class Line(NamedTuple):
    """One line of a chart.

    Attributes:
        name: the CSS class that colours it.
        values: one a minute; None breaks the line.
    """

    name: str
    values: Sequence[float | None]


def draw(title: str, lines: Sequence[Line], label: Callable[[float], str], *, stepped: bool = False) -> str:
    """Draw lines over minutes, from 0 to the highest value.

    Args:
        title: what is shown; it is also what a screen reader says.
        lines: of equal length.
        label: how a value is written at the axis.
        stepped: whether a value holds for its whole minute.
    """
    highest = max((value for line in lines for value in line.values if value is not None), default=0.0) or 1.0
    length = max((len(line.values) for line in lines), default=0)
    drawn = "".join(_line(line, highest, length, stepped=stepped) for line in lines)
    return (
        f'<figure><figcaption>{escape(title)}</figcaption><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(title)}">{"".join(_axes(highest, length, label))}{drawn}</svg></figure>'
    )


def _axes(highest: float, length: int, label: Callable[[float], str]) -> Iterator[str]:
    for part in range(_GRID + 1):
        value = highest * part / _GRID
        y = _y(value, highest)
        yield f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{escape(label(value))}</text>'
    for minute in range(0, length + 1, max(1, -(-length // 10))):
        x = _x(minute, length)
        yield f'<text x="{x:.1f}" y="{HEIGHT - 6}" text-anchor="middle">{minute} min</text>'


def _line(line: Line, highest: float, length: int, *, stepped: bool) -> str:
    path, drawing = list[str](), False
    for minute, value in enumerate(line.values):
        if value is None:
            drawing = False
            continue
        y = _y(value, highest)
        at = _x(minute if stepped else minute + 0.5, length)
        path.append(f"{'L' if drawing else 'M'}{at:.1f} {y:.1f}")
        # A minute between two without a value is a dot: a line to itself, with a round cap.
        path.append(f"L{_x(minute + 1, length) if stepped else at:.1f} {y:.1f}")
        drawing = True
    return f'<path class="{escape(line.name)}" d="{"".join(path)}"/>'


def _x(minute: float, length: int) -> float:
    return _LEFT + (WIDTH - _LEFT - _RIGHT) * minute / max(1, length)


def _y(value: float, highest: float) -> float:
    return HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * value / highest

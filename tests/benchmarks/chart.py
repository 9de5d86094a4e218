"""The chart of a run: one panel a benchmark, ours in colour, the goal as a line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_OURS, _PEER, _GOAL = "#0b7a75", "#b8bec6", "#d1495b"
_COLUMNS = 2


@dataclass(frozen=True)
class Panel:
    """One panel.

    Attributes:
        title: what is shown, and its unit.
        bars: (label, value), in order; a label that begins with `Tidegate` is ours.
        goal: where issue 3's line is.
        logarithmic: whether the values span orders of magnitude.
    """

    title: str
    bars: Sequence[tuple[str, float]]
    goal: float | None = None
    logarithmic: bool = False


def draw(panels: Sequence[Panel], path: Path) -> None:
    """Write the panels into one picture."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    rows = -(-len(panels) // _COLUMNS)
    heights = [max(len(p.bars) for p in panels[i : i + _COLUMNS]) for i in range(0, len(panels), _COLUMNS)]
    figure, axes = plt.subplots(
        rows,
        _COLUMNS,
        figsize=(14, 0.3 * sum(heights) + 0.9 * rows),
        height_ratios=heights,
        layout="constrained",
        squeeze=False,
    )
    for axis in axes.flat[len(panels) :]:
        axis.set_axis_off()
    for axis, panel in zip(axes.flat, panels, strict=False):
        _draw_one(axis, panel)
    # Without the date and the drawing library's version, so that the same figures give the same file.
    figure.savefig(path, dpi=110, metadata={"Software": None})
    plt.close(figure)


def _draw_one(axis: Any, panel: Panel) -> None:
    labels = [label for label, _ in panel.bars]
    values = [value for _, value in panel.bars]
    colours = [_OURS if label.startswith("Tidegate") else _PEER for label in labels]
    bars = axis.barh(labels, values, color=colours)
    axis.bar_label(bars, labels=[_number(value) for value in values], padding=3, fontsize=8)
    axis.invert_yaxis()
    axis.set_title(panel.title, fontsize=9, loc="left")
    axis.tick_params(labelsize=8)
    axis.spines[["top", "right"]].set_visible(False)
    axis.margins(x=0.14)
    if panel.logarithmic:
        axis.set_xscale("log")
    if panel.goal is not None:
        axis.axvline(panel.goal, color=_GOAL, linewidth=1, linestyle="--")
        axis.annotate(
            "goal",
            (panel.goal, 0),
            xycoords=("data", "axes fraction"),
            xytext=(2, 2),
            textcoords="offset points",
            color=_GOAL,
            fontsize=8,
        )


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"

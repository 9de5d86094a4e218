"""Charts of storms: what was served of each criticality over time, before the line of the capacity."""

from __future__ import annotations

import html as markup
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.scenarios.storm_load import MIX
from tests.scenarios.storm_run import Extent, Storm
from tidegate.criticality import Criticality

_COLOURS: dict[Criticality, str] = {"critical": "#0b7a75", "normal": "#7fb7be", "sheddable": "#d9c48f"}
_LINE, _KILLED = "#d1495b", "#555b66"
_WIDTH, _HEIGHT, _MARGIN = 360, 150, 28


@dataclass(frozen=True)
class Panel:
    """One storm.

    Attributes:
        title: against what, and how much.
        served: per second of the run, by criticality; a request counts when it was answered.
        capacity: requests a second.
        killed_s: when Redis died.
    """

    title: str
    served: dict[Criticality, list[int]]
    capacity: float
    killed_s: float

    @property
    def seconds(self) -> int:
        return len(self.served["critical"])

    def stacked(self) -> list[tuple[Criticality, list[float], list[float]]]:
        """For each criticality from where to where its area goes."""
        below, areas = [0.0] * self.seconds, []
        for criticality, counts in self.served.items():
            above = [low + count for low, count in zip(below, counts, strict=True)]
            areas.append((criticality, below, above))
            below = above
        return areas


def panels(storms: Sequence[Storm], extent: Extent) -> list[Panel]:
    """Count the storms by seconds."""
    return [_panel(storm, extent) for storm in storms]


def _panel(storm: Storm, extent: Extent) -> Panel:
    seconds = int(storm.halves[-1].ended_s)
    served = {each: [0] * seconds for each in MIX}
    for one in storm.asked:
        if one.outcome == "served" and one.ended_s < seconds:
            served[one.criticality][int(one.ended_s)] += 1
    return Panel(f"{storm.protection.name}, {storm.factor:g} x", served, extent.capacity, storm.halves[0].ended_s)


def html(drawn: Sequence[Panel], columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A page that needs nothing else: the charts as SVG, and the table."""
    head = "".join(f"<th>{markup.escape(column)}</th>" for column in columns)
    body = "".join("<tr>" + "".join(f"<td>{markup.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    legend = " ".join(f'<span style="color:{colour}">■ {each}</span>' for each, colour in _COLOURS.items())
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Storms</title><style>'
        "body{font:14px system-ui;margin:2em}table{border-collapse:collapse}td,th{padding:.3em .6em;text-align:right;"
        "border-bottom:1px solid #ddd}td:first-child,th:first-child{text-align:left}svg{margin:.4em}</style>"
        f"<h1>Storms</h1><p>Served per second. {legend} <span style='color:{_LINE}'>— capacity</span> "
        f"<span style='color:{_KILLED}'>┆ Redis is killed</span></p>"
        f"<div>{''.join(_svg(panel) for panel in drawn)}</div><table><tr>{head}</tr>{body}</table></html>"
    )


def _svg(panel: Panel) -> str:
    top = panel.capacity * 1.5

    def at(second: float, value: float) -> str:
        x = _MARGIN + second / max(1, panel.seconds - 1) * (_WIDTH - 2 * _MARGIN)
        return f"{x:.1f},{_HEIGHT - _MARGIN - min(value, top) / top * (_HEIGHT - 2 * _MARGIN):.1f}"

    areas = ""
    for criticality, below, above in panel.stacked():
        points = [at(s, v) for s, v in enumerate(above)] + [at(s, below[s]) for s in reversed(range(panel.seconds))]
        areas += f'<polygon points="{" ".join(points)}" fill="{_COLOURS[criticality]}"/>'
    last = panel.seconds - 1
    return (
        f'<svg width="{_WIDTH}" height="{_HEIGHT}" role="img"><text x="{_MARGIN}" y="16" font-size="12">'
        f"{markup.escape(panel.title)}</text>{areas}"
        f'<polyline points="{at(0, panel.capacity)} {at(last, panel.capacity)}" stroke="{_LINE}" fill="none"/>'
        f'<polyline points="{at(panel.killed_s, 0)} {at(panel.killed_s, top)}" stroke="{_KILLED}" '
        f'stroke-dasharray="3"/><text x="2" y="{_HEIGHT - 8}" font-size="10">0 s</text>'
        f'<text x="{_WIDTH - 30}" y="{_HEIGHT - 8}" font-size="10">{last} s</text></svg>'
    )


def png(drawn: Sequence[Panel], path: Path) -> None:
    """Write the panels into one picture."""
    import matplotlib as mpl  # noqa: PLC0415  of the benchmarks' packages, which tests don't need

    mpl.use("Agg")
    import matplotlib.pyplot as plt  # noqa: PLC0415  as above

    columns = min(3, len(drawn))
    rows = -(-len(drawn) // columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(4.6 * columns, 2.3 * rows), sharey=True, layout="constrained", squeeze=False
    )
    for axis, panel in zip(axes.flat, drawn, strict=False):
        for criticality, below, above in panel.stacked():
            axis.fill_between(range(panel.seconds), below, above, color=_COLOURS[criticality], label=criticality, lw=0)
        axis.axhline(panel.capacity, color=_LINE, linewidth=1, label="capacity")
        axis.axvline(panel.killed_s, color=_KILLED, linewidth=1, linestyle="--", label="Redis is killed")
        axis.set_title(panel.title, fontsize=9, loc="left")
        axis.tick_params(labelsize=8)
        axis.spines[["top", "right"]].set_visible(False)
        axis.margins(x=0)
    figure.supylabel("served per second", fontsize=9)
    figure.legend(*axes[0][0].get_legend_handles_labels(), loc="outside lower center", ncols=5, fontsize=8)
    figure.savefig(path, dpi=110, metadata={"Software": None})
    plt.close(figure)

"""The chart of a retry storm: offered and useful load by second, a column an outage."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.simulation.retry_storm import CLIENTS, OUTAGES, Outcome
from tests.simulation.retry_storm_world import Outage, Plan

_COLOURS = ("#d1495b", "#e0a458", "#0b7a75", "#3d5a98")
_SHOWN_AFTER_S = 90


def draw(outcomes: Mapping[tuple[Outage, str], Outcome], plan: Plan, path: Path) -> None:
    """Write the picture."""
    import matplotlib as mpl  # noqa: PLC0415  the benchmarks' own

    mpl.use("Agg")
    import matplotlib.pyplot as plt  # noqa: PLC0415  as above

    figure, axes = plt.subplots(2, len(OUTAGES), figsize=(14, 6.5), layout="constrained", sharex=True, sharey="row")
    for column, (outage, what) in enumerate(OUTAGES.items()):
        for clients, colour in zip(CLIENTS, _COLOURS, strict=True):
            outcome = outcomes[outage, clients]
            for row, counts in enumerate((outcome.offered, outcome.useful)):
                _line(axes[row][column], counts, plan, clients, colour)
        axes[0][column].set_title(f"{outage}: {what}", fontsize=10, loc="left")
        axes[1][column].set_xlabel("seconds", fontsize=9)
    for axis, label in zip(axes[:, 0], ("offered, requests/s", "useful, answers/s"), strict=True):
        axis.set_ylabel(label, fontsize=9)
    for axis in axes.flat:
        _frame(axis, plan)
    axes[0][0].legend(fontsize=8, frameon=False)
    # Without the date and the drawing library's version, so that the same figures give the same file.
    figure.savefig(path, dpi=110, metadata={"Software": None})
    plt.close(figure)


def _line(axis: Any, counts: Mapping[int, int], plan: Plan, label: str, colour: str) -> None:
    seconds = range(plan.healthy_s // 2, plan.back_s + min(_SHOWN_AFTER_S, plan.after_s))
    axis.plot(seconds, [counts[second] for second in seconds], label=label, color=colour, linewidth=1.3)


def _frame(axis: Any, plan: Plan) -> None:
    axis.axvspan(plan.healthy_s, plan.back_s, color="#eceff1", zorder=0)
    axis.axhline(plan.capacity, color="#888888", linewidth=0.8, linestyle="--")
    axis.annotate(
        "capacity", (1, plan.capacity), xycoords=("axes fraction", "data"), fontsize=8, ha="right", va="bottom"
    )
    axis.set_ylim(bottom=0)
    axis.tick_params(labelsize=8)
    axis.spines[["top", "right"]].set_visible(False)

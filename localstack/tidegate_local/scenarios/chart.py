"""A scenario as a picture: answers a second by who gave them, how long they took, and what was done meanwhile."""

from collections import Counter
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tidegate_local.scenarios.report import Report
from tidegate_local.telemetry.figures import percentile

# From calm to alarming; apart from each other for those who don't see red and green, too.
COLOURS = {
    "handler": "#0b7a75",
    "cache": "#66b8b2",
    "replay": "#b5dfdb",
    "queue": "#6c8ebf",
    "limits": "#e3c878",
    "edge": "#c9a227",
    "shedding": "#d98c5f",
    "failed": "#a4133c",
    "nobody": "#30343a",
}
_WHEN = {"before": "#ffffff", "during": "#f6e3e0", "after": "#ffffff"}
# A phase that is a smaller part of the whole has no room for its name.
_NAMED_FROM = 0.06
_INK, _LINE = "#30343a", "#7a828c"


def can_draw() -> bool:
    """Tell whether matplotlib is there."""
    return find_spec("matplotlib") is not None


def draw(report: Report, file: Path) -> None:
    """Write the picture as a PNG file."""
    import matplotlib as mpl  # noqa: PLC0415 - an optional dependency, and slow to import

    mpl.use("agg")
    import matplotlib.pyplot as plt  # noqa: PLC0415 - after the choice of its backend

    rows = 3 if report.weights else 2
    figure, axes = plt.subplots(rows, sharex=True, figsize=(9.6, 2.0 + 1.9 * rows), layout="constrained")
    seconds = 1 + int(max(answer.asked_at for answer in report.answers) - report.began)
    _who(axes[0], report, seconds)
    _latency(axes[1], report, seconds)
    if report.weights:
        _weights(axes[2], report)
    for axis in axes:
        _phases(axis, report)
        axis.spines[["top", "right"]].set_visible(False)
        axis.tick_params(labelsize=8)
        axis.set_xlim(0, seconds)
    _names(axes[0], report, seconds)
    axes[-1].set_xlabel("seconds", fontsize=9)
    figure.suptitle(f"{report.question}  {'Held.' if report.held else 'Did not hold.'}", fontsize=11, x=0.01, ha="left")
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=100, metadata={"Software": None})
    plt.close(figure)


def per_second(report: Report, seconds: int) -> dict[str, list[int]]:
    """Count answers by who gave them, in each second."""
    counts = Counter((answer.by, int(answer.asked_at - report.began)) for answer in report.answers)
    present = [who for who in COLOURS if any(by == who for by, _ in counts)]
    return {who: [counts[who, second] for second in range(seconds)] for who in present}


def _who(axis: Any, report: Report, seconds: int) -> None:
    series = per_second(report, seconds)
    axis.stackplot(
        range(seconds), *series.values(), labels=series, colors=[COLOURS[who] for who in series], step="post", lw=0
    )
    axis.set_ylabel("answers/s", fontsize=9)
    axis.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=8, frameon=False, reverse=True)


def _latency(axis: Any, report: Report, seconds: int) -> None:
    took: list[list[float]] = [[] for _ in range(seconds)]
    for answer in report.answers:
        if 0 <= (second := int(answer.asked_at - report.began)) < seconds:
            took[second].append(answer.took_ms)
    for percent, style in ((99, "-"), (50, ":")):
        values = [_or_nan(percentile(each, percent)) for each in took]
        axis.plot([s + 0.5 for s in range(seconds)], values, style, color=_INK, lw=1.2, label=f"p{percent}")
    axis.set_yscale("log")
    axis.set_ylabel("ms", fontsize=9)
    axis.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=8, frameon=False)


def _weights(axis: Any, report: Report) -> None:
    times = [at - report.began for at, _ in report.weights]
    axis.step(times, [percent for _, percent in report.weights], where="post", color=COLOURS["handler"], lw=1.4)
    axis.set_ylabel("new version, %", fontsize=9)
    axis.set_ylim(-4, 104)


def _phases(axis: Any, report: Report) -> None:
    for seen in report.phases:
        began, ended = (moment - report.began for moment in (seen.phase.began, seen.phase.ended))
        axis.axvspan(began, ended, color=_WHEN[seen.phase.when], lw=0, zorder=-2)
        axis.axvline(began, color=_LINE, lw=0.6, ls=":", zorder=-1)


def _names(axis: Any, report: Report, seconds: int) -> None:
    for seen in report.phases:
        if seen.phase.ended - seen.phase.began < _NAMED_FROM * seconds:
            continue
        axis.annotate(
            seen.phase.name,
            (seen.phase.began - report.began, 1.02),
            xycoords=("data", "axes fraction"),
            fontsize=8,
            color=_INK,
        )


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else value

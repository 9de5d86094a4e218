"""A release's report: the JSON that the controller filed, and the page that is made of it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tidegate_local.pages.page import render
from tidegate_local.releases.chart import Chart
from tidegate_local.releases.item import ReleaseItem
from tidegate_local.releases.place import Place

# What functions/rollout/report writes.
Document = Mapping[str, Any]

_FIGURES = ("requests", "failed", "p95")
_MINUTE_COLUMNS = ("minute (UTC)", "weight", *(f"{of} {figure}" for of in ("canary", "stable") for figure in _FIGURES))


def save(place: Place, release: ReleaseItem, folder: Path) -> list[Path]:
    """Write a release's report below a folder, as JSON and as a page; returns the files; none without a canary."""
    filed = place.releases().report(release.token)
    if filed is None:
        return []
    folder.mkdir(parents=True, exist_ok=True)
    data = folder / f"release-{place.stage}-{release.token}.json"
    data.write_text(filed, encoding="utf-8")
    page = data.with_suffix(".html")
    page.write_text(as_html(json.loads(filed)), encoding="utf-8")
    return [data, page]


def as_html(report: Document) -> str:
    """Write a report as a page."""
    outcome = report["outcome"] or "under way"
    return render(
        "releases/report.html",
        title=f"Release {report['release']}: {outcome}",
        heading=f"Release {report['release']}",
        outcome=outcome,
        well={"pass": True, "fail": False}.get(outcome),
        report=report,
        findings=_findings,
        charts=tuple(_charts(report["minutes"])),
        minute_columns=_MINUTE_COLUMNS,
        minute_rows=[_minute(minute) for minute in report["minutes"]],
    )


def _findings(verdict: Document) -> list[tuple[str, ...]]:
    return [
        (
            finding["metric"],
            _interval(finding, "canary"),
            _interval(finding, "stable"),
            f"{finding['against']:.3g} of {finding['against_at']:.0f}",
            f"{finding['safe']:.3g} of {finding['safe_at']:.0f}",
        )
        for finding in verdict["findings"]
    ]


def _interval(finding: Document, version: str) -> str:
    interval = finding[version]
    if interval is None:
        return "-"
    say = _percent if finding["metric"] == "errors" else _milliseconds
    # JSON has null for what is above all bins.
    high = "inf" if interval["high"] is None else say(interval["high"])
    return f"{say(interval['estimate'])} ({say(interval['low'])} to {high})"


def _charts(minutes: Sequence[Document]) -> Iterator[Chart]:
    yield Chart("Failed requests", _percent, _lines(minutes, "failed_share"))
    yield Chart("p95 latency", _milliseconds, _lines(minutes, "p95_us"))
    weights = {"canary": [minute["percent"] / 100 for minute in minutes]}
    yield Chart("Weight of the canary", _percent, weights, stepped=True)


def _lines(minutes: Sequence[Document], figure: str) -> dict[str, list[float | None]]:
    return {version: [minute[version][figure] for minute in minutes] for version in ("stable", "canary")}


def _minute(minute: Document) -> tuple[str, ...]:
    when = datetime.fromtimestamp(minute["start_s"], UTC).strftime("%H:%M")
    return (when, f"{minute['percent']:g} %", *_counts(minute["canary"]), *_counts(minute["stable"]))


def _counts(counts: Document) -> tuple[str, ...]:
    failed = counts["server_errors"] + counts["timeouts"]
    p95 = "-" if counts["p95_us"] is None else _milliseconds(counts["p95_us"])
    return (f"{counts['requests']:,}", f"{failed:,}", p95)


def _percent(share: float) -> str:
    return f"{share * 100:.3g} %"


def _milliseconds(latency_us: float) -> str:
    return f"{latency_us / 1000:.3g} ms"

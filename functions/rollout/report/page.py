"""The report for people: one HTML page that needs no other file and no script."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from html import escape

from functions.rollout.judge import Counts, Finding, Interval, Verdict
from functions.rollout.report.chart import Line, draw
from functions.rollout.report.minutes import Minute, by_minute, failed_share, p95_us
from functions.rollout.report.release import Release

_STYLE = """
:root{color-scheme:light dark;--canary:#0b7a75;--stable:#7a828c;--fail:#d1495b;--grid:#8884}
body{font:15px/1.5 system-ui,sans-serif;max-width:48rem;margin:2rem auto;padding:0 1rem}
h1 span{padding:.1em .5em;border-radius:.3em;color:#fff;background:var(--stable)}
h1 .pass{background:var(--canary)}h1 .fail{background:var(--fail)}
table{border-collapse:collapse;width:100%;font-size:13px}th,td{padding:.2em .6em;text-align:right}
th:first-child,td:first-child{text-align:left}tr{border-bottom:1px solid var(--grid)}
figure{margin:1.5rem 0}svg{width:100%}svg text{font-size:11px;fill:currentColor}
svg path{fill:none;stroke-width:2;stroke-linecap:round}.grid{stroke:var(--grid)}
path.canary{stroke:var(--canary)}path.stable{stroke:var(--stable);stroke-dasharray:5 4}
.key b.canary{color:var(--canary)}.key b.stable{color:var(--stable)}
"""


def as_html(release: Release) -> str:
    """Write the report as a page."""
    minutes = by_minute(release.buckets)
    outcome = release.verdicts[-1].outcome if release.verdicts else "under way"
    title = f"Release {release.name}: {outcome}"
    body = "".join(
        [
            f'<h1>Release {escape(release.name)} <span class="{outcome.replace(" ", "-")}">{outcome}</span></h1>',
            f"<p>Canary {escape(release.canary)} beside stable {escape(release.stable)}.</p>",
            *[_verdict(verdict) for verdict in reversed(release.verdicts)],
            *_charts(minutes),
            _cold(release),
            _table(minutes),
        ]
    )
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style></head><body>{body}</body></html>\n"
    )


def _verdict(verdict: Verdict) -> str:
    reasons = "".join(f"<li>{escape(reason)}</li>" for reason in verdict.reasons)
    rows = "".join(_finding(finding) for finding in verdict.findings)
    return (
        f"<h2>Step {verdict.step + 1}: {verdict.outcome} after {verdict.elapsed_s:.0f} s</h2>"
        f"<p>{verdict.canary.requests:,} canary and {verdict.stable.requests:,} stable requests so far."
        f"{_then(verdict)}</p><ul>{reasons}</ul>"
        "<table><thead><tr><th>metric</th><th>canary</th><th>stable</th><th>evidence of harm</th>"
        f"<th>of safety</th></tr></thead><tbody>{rows}</tbody></table>"
    )


def _then(verdict: Verdict) -> str:
    if verdict.then is None:
        return ""
    wanted = f" About {verdict.requests_wanted:,} more would do." if verdict.requests_wanted else ""
    return f" The plan says: {verdict.then.replace('_', ' ')}.{wanted}"


def _finding(finding: Finding) -> str:
    cells = [
        finding.metric,
        _interval(finding, finding.canary),
        _interval(finding, finding.stable),
        f"{finding.against:.3g} of {finding.against_at:.0f}",
        f"{finding.safe:.3g} of {finding.safe_at:.0f}",
    ]
    return f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>"


def _interval(finding: Finding, interval: Interval | None) -> str:
    if interval is None:
        return "-"
    say = _percent if finding.metric == "errors" else _milliseconds
    return f"{say(interval.estimate)} ({say(interval.low)} to {say(interval.high)})"


def _charts(minutes: list[Minute]) -> Iterator[str]:
    yield '<p class="key"><b class="canary">- canary</b> <b class="stable">- - stable</b></p>'
    yield draw("Failed requests", _lines(minutes, failed_share), _percent)
    yield draw("p95 latency", _lines(minutes, p95_us), _milliseconds)
    weights = Line("canary", [minute.percent / 100 for minute in minutes])
    yield draw("Weight of the canary", [weights], _percent, stepped=True)


def _lines(minutes: list[Minute], figure: Callable[[Counts], float | None]) -> list[Line]:
    return [
        Line("stable", [figure(minute.stable) for minute in minutes]),
        Line("canary", [figure(minute.canary) for minute in minutes]),
    ]


def _cold(release: Release) -> str:
    requests, failed = release.cold
    return f"<p>Set apart: {requests:,} first requests of new canary environments, {failed:,} of them failed.</p>"


def _table(minutes: list[Minute]) -> str:
    rows = "".join(_row(minute) for minute in minutes)
    return (
        "<details><summary>By the minute</summary><table><thead><tr><th>minute (UTC)</th><th>weight</th>"
        "<th>canary requests</th><th>failed</th><th>p95</th><th>stable requests</th><th>failed</th><th>p95</th>"
        f"</tr></thead><tbody>{rows}</tbody></table></details>"
    )


def _row(minute: Minute) -> str:
    when = datetime.fromtimestamp(minute.start_s, UTC).strftime("%H:%M")
    cells = [when, f"{minute.percent:g} %", *_cells(minute.canary), *_cells(minute.stable)]
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _cells(counts: Counts) -> list[str]:
    p95 = p95_us(counts)
    return [f"{counts.requests:,}", f"{counts.failed:,}", "-" if p95 is None else _milliseconds(p95)]


def _percent(share: float) -> str:
    return f"{share * 100:.3g} %"


def _milliseconds(latency_us: float) -> str:
    return f"{latency_us / 1000:.3g} ms"

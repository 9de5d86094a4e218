"""A report as rows of text, for pages of every sort."""

from collections.abc import Mapping

from tidegate_local.scenarios.answers import Tally
from tidegate_local.scenarios.report import Report

PHASE_COLUMNS = ("phase", "requests", "answers", "answered by", "p50", "p99", "decided by", "decision p99")
FLOW_COLUMNS = ("clients", "requests", "answers", "answered by", "p50", "p99")


def phase_rows(report: Report) -> list[tuple[str, ...]]:
    """Return a row for each phase, as PHASE_COLUMNS."""
    return [
        (
            f"{seen.phase.name} ({seen.phase.ended - seen.phase.began:.0f} s)",
            *_tally(seen.clients),
            shares(seen.decided.by_store) or "-",
            milliseconds(seen.decided.p99_ms),
        )
        for seen in report.phases
    ]


def flow_rows(report: Report) -> list[tuple[str, ...]]:
    """Return a row for each sort of client, as FLOW_COLUMNS."""
    return [(flow, *_tally(tally)) for flow, tally in report.flows]


def deed_rows(report: Report) -> list[tuple[str, str]]:
    """Return what was done, each with its time."""
    return [(f"{deed.at - report.began:.1f} s", deed.what) for deed in report.deeds]


def about(report: Report) -> str:
    """Say in one line what it was measured on, and what is to be known of it."""
    left = f"{report.not_sent:,} requests found no connection of their client free and were not sent"
    return ". ".join((", ".join(filter(None, report.about[:4])), *report.about[4:], left)) + "."


def verdict(report: Report) -> str:
    """Say whether all promises held."""
    held = sum(promise.held for promise in report.promises)
    return f"{held} of {len(report.promises)} promises held"


def shares(by_store: Mapping[str, float]) -> str:
    """Write which share each store decided."""
    return ", ".join(f"{store} {share:g} %" for store, share in by_store.items())


def milliseconds(value: float | None) -> str:
    """Write a time."""
    if value is None:
        return "-"
    return f"{value / 1000:.2f} s" if value >= 1000 else f"{value:.3g} ms"


def _tally(tally: Tally) -> tuple[str, ...]:
    return (
        f"{tally.count:,}",
        _counts(tally.by_status),
        _counts(tally.by_who),
        milliseconds(tally.p50_ms),
        milliseconds(tally.p99_ms),
    )


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name}: {count:,}" for name, count in counts.items()) or "-"

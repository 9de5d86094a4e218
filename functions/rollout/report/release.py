"""A report's content, and its JSON."""

from __future__ import annotations

import json
from math import isfinite
from typing import Any, NamedTuple

from functions.rollout.judge import Counts, Finding, Interval, TimeBucket, Verdict
from functions.rollout.report.minutes import Minute, by_minute, failed_share, p95_us

# Readers refuse other formats.
FORMAT = 1


class Release(NamedTuple):
    """One release, ended or under way.

    Attributes:
        name: its name for people.
        stable, canary: the versions.
        verdicts: in order of time; the last one ended it.
        buckets: the counts, in order of time.
        into_incident: why it began although alarms rang; None: it didn't.
    """

    name: str
    stable: str
    canary: str
    verdicts: tuple[Verdict, ...]
    buckets: tuple[TimeBucket, ...]
    into_incident: str | None = None

    @property
    def cold(self) -> tuple[int, int]:
        """The canary's cold requests, and those of them that failed."""
        cold = [bucket.canary.cold for bucket in self.buckets]
        return sum(counts.requests for counts in cold), sum(counts.failed for counts in cold)


def as_json(release: Release) -> str:
    """Return the report as JSON: shares from 0 to 1, latencies in microseconds, null for unknown values."""
    cold, cold_failed = release.cold
    document = {
        "format": FORMAT,
        "release": release.name,
        "stable": release.stable,
        "canary": release.canary,
        "into_incident": release.into_incident,
        "outcome": release.verdicts[-1].outcome if release.verdicts else None,
        "verdicts": [_verdict(verdict) for verdict in release.verdicts],
        "canary_cold": {"requests": cold, "failed": cold_failed},
        "minutes": [_minute(minute) for minute in by_minute(release.buckets)],
    }
    return json.dumps(document, indent=2, allow_nan=False)


def _verdict(verdict: Verdict) -> dict[str, Any]:
    return {
        "outcome": verdict.outcome,
        "step": verdict.step,
        "elapsed_s": verdict.elapsed_s,
        "reasons": list(verdict.reasons),
        "findings": [_finding(finding) for finding in verdict.findings],
        "canary": _counts(verdict.canary),
        "stable": _counts(verdict.stable),
        "then": verdict.then,
        "requests_wanted": verdict.requests_wanted,
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "metric": finding.metric,
        "failed": finding.failed,
        "proven": finding.proven,
        "against": finding.against,
        "against_at": finding.against_at,
        "safe": finding.safe,
        "safe_at": finding.safe_at,
        "canary": _interval(finding.canary),
        "stable": _interval(finding.stable),
    }


def _interval(interval: Interval | None) -> dict[str, float | None] | None:
    if interval is None:
        return None
    return {name: value if isfinite(value) else None for name, value in interval._asdict().items()}


def _minute(minute: Minute) -> dict[str, Any]:
    return {
        "start_s": minute.start_s,
        "percent": minute.percent,
        "canary": _counts(minute.canary),
        "stable": _counts(minute.stable),
    }


def _counts(counts: Counts) -> dict[str, float | None]:
    return {
        "requests": counts.requests,
        "server_errors": counts.server_errors,
        "timeouts": counts.timeouts,
        "failed_share": failed_share(counts),
        "p95_us": p95_us(counts),
    }

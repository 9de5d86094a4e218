"""The report of a release, filed when it ends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from functions.rollout import looks
from functions.rollout.judge import Verdict
from functions.rollout.judge.counts import Counts
from functions.rollout.judge.verdict import Finding, Interval
from functions.rollout.ledger import Ledger
from functions.rollout.order import Order
from functions.rollout.report import Release, as_html, as_json
from tidegate.algorithms.histogram import Histogram


def file_report(ledger: Ledger, document: Mapping[str, Any], order: Order) -> None:
    """Write the report of what the judge saw; a release without a canary has none."""
    known = ledger.read()
    if known is None or not known.attributes["looks"] or not document["stable"]:
        return
    moving = order.moving(document["stable"])
    release = Release(
        f"{order.namespace} {known.token}",
        ", ".join(f"{target.name} {document['stable'][target.name]}" for target in moving),
        ", ".join(f"{target.name} {target.version}" for target in moving),
        tuple([verdict_of(told) for told in known.attributes["verdicts"]]),
        looks.buckets(known.attributes["looks"]),
    )
    ledger.file(known.token, as_json(release), as_html(release))


def verdict_document(verdict: Verdict) -> dict[str, Any]:
    """Make a verdict JSON."""
    return {
        **verdict._asdict(),
        "findings": [list(finding) for finding in verdict.findings],
        "canary": _counts_document(verdict.canary),
        "stable": _counts_document(verdict.stable),
    }


def verdict_of(document: Mapping[str, Any]) -> Verdict:
    """Read what `verdict_document` wrote."""
    return Verdict(
        **{
            **document,
            "reasons": tuple(document["reasons"]),
            "findings": tuple([_finding(*told) for told in document["findings"]]),
            "canary": _counts(document["canary"]),
            "stable": _counts(document["stable"]),
        }
    )


def _finding(*told: Any) -> Finding:
    *rest, canary, stable = told
    return Finding(*rest, *[Interval(*of) if of else None for of in (canary, stable)])


def _counts_document(counts: Counts) -> list[Any]:
    return [*counts[:3], {str(at): n for at, n in counts.latency.counts.items()}]


def _counts(document: list[Any]) -> Counts:
    requests, server_errors, timeouts, latency = document
    return Counts(requests, server_errors, timeouts, Histogram({int(at): n for at, n in latency.items()}))

"""The report of a release, filed when it ends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from functions.rollout import looks
from functions.rollout.counted import counts_document, counts_of
from functions.rollout.judge import Verdict
from functions.rollout.judge.verdict import Finding, Interval
from functions.rollout.ledger import Ledger
from functions.rollout.order import Order
from functions.rollout.report import Release, as_json


def file_report(ledger: Ledger, document: Mapping[str, Any], order: Order) -> None:
    """File a release's report; one without a canary has none."""
    known = ledger.read()
    if known is None or not known.attributes["looks"] or not document["stable"]:
        return
    moving = [target for target in order.moving(document["stable"]) if target.name in document["stable"]]
    release = Release(
        f"{order.namespace} {known.token}",
        ", ".join(f"{target.name} {document['stable'][target.name]}" for target in moving),
        ", ".join(f"{target.name} {target.version}" for target in moving),
        tuple([verdict_of(document_of) for document_of in known.attributes["verdicts"]]),
        looks.buckets(known.attributes["looks"]),
        order.into_incident,
    )
    ledger.file(known.token, as_json(release))


def verdict_document(verdict: Verdict) -> dict[str, Any]:
    """Return a verdict as JSON."""
    return {
        **verdict._asdict(),
        "findings": [list(finding) for finding in verdict.findings],
        "canary": counts_document(verdict.canary),
        "stable": counts_document(verdict.stable),
    }


def verdict_of(document: Mapping[str, Any]) -> Verdict:
    """Read what `verdict_document` wrote."""
    return Verdict(
        **{
            **document,
            "reasons": tuple(document["reasons"]),
            "findings": tuple([_finding(*document_of) for document_of in document["findings"]]),
            "canary": counts_of(document["canary"]),
            "stable": counts_of(document["stable"]),
        }
    )


def _finding(*document_of: Any) -> Finding:
    *rest, canary, stable = document_of
    return Finding(*rest, *[Interval(*of) if of else None for of in (canary, stable)])

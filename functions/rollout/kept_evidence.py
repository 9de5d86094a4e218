"""The judge's evidence as JSON, kept between two looks, so that neither a look nor the ledger grows with a release."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from functions.rollout.counted import counts_document, counts_of
from functions.rollout.judge.counts import RouteCounts, Spread
from functions.rollout.judge.evidence import Evidence, Strand
from functions.rollout.judge.metric import Metric, Stretch
from functions.rollout.judge.outage import Troubles
from functions.rollout.judge.routes import Routes
from functions.rollout.judge.wager import Table, Wealth


def as_document(evidence: Evidence) -> list[Any]:
    """Return evidence as JSON."""
    live, replayed, routes, guard, refused, troubles, *rest = evidence
    return [
        *(_strand_document(live), _strand_document(replayed), _routes_document(routes)),
        *(_metric_document(guard), _metric_document(refused), list(troubles), *rest),
    ]


def of_document(document: Sequence[Any]) -> Evidence:
    """Read what `as_document` wrote."""
    live, replayed, routes, guard, refused, troubles, *rest = document
    return Evidence(
        _strand_of(live),
        _strand_of(replayed),
        _routes_of(routes),
        _metric_of(guard),
        _metric_of(refused),
        Troubles(*troubles),
        *rest,
    )


def _strand_document(strand: Strand) -> list[Any]:
    errors, p50, p95, stable, canary, sent = strand
    metrics = [_metric_document(of) for of in (errors, p50, p95)]
    return [*metrics, counts_document(stable), counts_document(canary), sent]


def _strand_of(document: Sequence[Any]) -> Strand:
    errors, p50, p95, stable, canary, sent = document
    return Strand(_metric_of(errors), _metric_of(p50), _metric_of(p95), counts_of(stable), counts_of(canary), sent)


def _routes_document(routes: Routes) -> list[Any]:
    return [
        {name: list(of) for name, of in routes.past.items()},
        {name: _metric_document(of) for name, of in routes.metrics.items()},
    ]


def _routes_of(document: Sequence[Mapping[str, Any]]) -> Routes:
    past, metrics = document
    return Routes(
        {name: RouteCounts(*of) for name, of in past.items()}, {name: _metric_of(of) for name, of in metrics.items()}
    )


def _metric_document(metric: Metric) -> list[Any]:
    harm, safe, stretch, began_s, totals, hit, former = metric
    wealth = [harm.waiting, list(harm.whole), list(harm.careful)]
    return [wealth, list(safe), [list(of) for of in stretch], began_s, list(totals), hit, list(former)]


def _metric_of(document: Sequence[Any]) -> Metric:
    (waiting, whole, careful), safe, (worse, far, canary, stable), began_s, totals, hit, former = document
    return Metric(
        Wealth(waiting, tuple(whole), tuple(careful)),
        tuple(safe),
        Stretch(Table(*worse), Table(*far), Spread(*canary), Spread(*stable)),
        began_s,
        Table(*totals),
        hit,
        Table(*former),
    )

"""Errors by route, because a rare route's failures are lost in the sum.

The routes that stable serves most are judged each by itself, and all others together; they are chosen before a look
begins. A route that the canary has never served without a failure, while stable does, is also compared with all of
stable's past requests, since it may be called only once a minute.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from functions.rollout.judge import harm
from functions.rollout.judge.counts import Counts, RouteCounts
from functions.rollout.judge.metric import Metric, Rule, Stretch
from functions.rollout.judge.spread import overdispersion
from functions.rollout.judge.wager import Table, Wealth

# The number of routes that are judged by themselves, and the requests of stable from which on a route may be one.
MOST, ENOUGH = 15, 20
REST = "the other routes"
# The stretches with failures from which on a route counts as dead; a single environment's event lasts for fewer.
_LASTS = 3
_NONE = RouteCounts()


class Routes(NamedTuple):
    """The evidence of all routes.

    Attributes:
        past: stable's requests by route, until the latest look.
        metrics: the errors in the same stretches, by route or `REST`.
    """

    past: Mapping[str, RouteCounts] = {}
    metrics: Mapping[str, Metric] = {}

    def before(self, stable: Counts) -> Routes:
        """Take stable's counts from before the canary had any weight."""
        return self._replace(past=_together(self.past, stable.routes))

    def after(self, rule: Rule, looked: tuple[int, int], part: float, stable: Counts, canary: Counts) -> Routes:
        """Take one look's counts; `looked`: when it began (epoch seconds), and the seconds of a stretch."""
        metrics = dict(self.metrics)
        known = self._known(metrics)
        for name, table in tables(known, stable, canary).items():
            before = metrics.get(name) or Metric().at_step(rule, part)
            metrics[name] = before.after(rule, Stretch(table), *looked)
        return Routes(_together(self.past, stable.routes), metrics)

    def at_step(self, rule: Rule, part: float) -> Routes:
        """Begin a step."""
        return self._replace(metrics={name: metric.at_step(rule, part) for name, metric in self.metrics.items()})

    def against(self, rule: Rule) -> tuple[float, str | None]:
        """Return the logarithm of the strongest evidence against a route, and its name."""
        found = [(self._of(rule, name, metric), name) for name, metric in self.metrics.items() if _hit(metric)]
        return max(found, default=(0.0, None))

    def _of(self, rule: Rule, name: str, metric: Metric) -> float:
        silent = name != REST and metric.hit >= _LASTS
        return max(metric.against(rule), self._silent(rule, name, metric.totals) if silent else 0.0)

    def _silent(self, rule: Rule, name: str, step: Table) -> float:
        """Compare a route that always fails in the canary with all of stable's past requests."""
        answered = step.stable - step.stable_hits
        if step.canary_hits < step.canary or answered <= 2 * step.stable_hits:
            return 0.0
        past = self.past.get(name, _NONE)
        gained = harm.gains(Table(step.canary_hits, step.canary, past.failed, past.requests), rule.ratio, rule.extra)
        return Wealth.of(len(harm.STAKES)).staked(harm.STAKES, 1).after(gained, harm.STAKES, float("inf")).log

    def _known(self, metrics: Mapping[str, Metric]) -> set[str]:
        """The routes that are judged by themselves in this look: those before, and the next busiest ones."""
        known = {name for name in metrics if name != REST}
        if len(known) < MOST:
            heavy = sorted(
                (name for name, of in self.past.items() if of.requests >= ENOUGH and name not in known),
                key=lambda name: (-self.past[name].requests, name),
            )
            known.update(heavy[: MOST - len(known)])
        return known


def tables(known: set[str], stable: Counts, canary: Counts) -> dict[str, Table]:
    """Return a table for each route, or `REST`, that had a request; in each, an environment's event is one failure."""
    mine_by, other_by = (overdispersion(of.failed, of.requests, of.spread) for of in (canary, stable))
    found = dict[str, Table]()
    for name in sorted(stable.routes.keys() | canary.routes.keys()):
        mine, other = canary.routes.get(name, _NONE), stable.routes.get(name, _NONE)
        stratum = name if name in known else REST
        found[stratum] = found.get(stratum, Table()).plus(
            Table(mine.failed / mine_by, mine.requests / mine_by, other.failed / other_by, other.requests / other_by)
        )
    return found


def _together(some: Mapping[str, RouteCounts], more: Mapping[str, RouteCounts]) -> Mapping[str, RouteCounts]:
    return {**some, **{name: some.get(name, _NONE).plus(of) for name, of in more.items()}} if more else some


def _hit(metric: Metric) -> bool:
    return bool(metric.totals.canary_hits) or bool(metric.stretch.worse.canary_hits)

"""Whether what is promised for a Redis that is down held, by what clients saw and the tables have."""

from collections.abc import Sequence
from dataclasses import dataclass

from tidegate_local.scenarios import decisions, text
from tidegate_local.scenarios.answers import Answer, failures, tally
from tidegate_local.scenarios.bound import Admissions, against_bound
from tidegate_local.scenarios.play import Play
from tidegate_local.scenarios.report import Promise
from tidegate_local.telemetry.lines import RequestLine

# The limit of GET /v1/reports/sales, for each key: functions/api/routes/reports.py.
RATE_PER_S, BURST = 1, 5
DEFAULT_BUDGET_MS = 60
BACK_WITHIN_S = 30.0
# How the one promise begins that is about time.
TIMED = "p99 with Redis broken"


@dataclass(frozen=True)
class Orders:
    """What became of the orders' keys: how many were asked for, ordered and sold, and which had several answers."""

    keys: int
    orders: int
    sold: int
    differing: tuple[str, ...]


def promises(
    play: Play, logged: Sequence[RequestLine], orders: Orders, back_s: Sequence[float], budget_ms: int
) -> tuple[Promise, ...]:
    """Hold what was seen against what is promised."""
    return (
        _no_failures(play.answers),
        _quick(play, budget_ms),
        _decided_elsewhere(play, logged),
        *(_bounded(tier, play.answers) for tier in _reported(play.answers)),
        _single(orders),
        Promise(
            f"Redis decides again by itself within {BACK_WITHIN_S:.0f} s of its return",
            max(back_s) < float("inf"),
            "after " + ", ".join(f"{each:.1f}" for each in back_s) + " s",
        ),
    )


def _no_failures(answers: Sequence[Answer]) -> Promise:
    return Promise("No client gets a 5xx, and each gets an answer", *failures(answers))


def _quick(play: Play, budget_ms: int) -> Promise:
    before_ms = tally(play.during("before")).p99_ms or 0.0
    worst_ms = max(tally(play.within(p.name)).p99_ms or 0.0 for p in play.phases if p.when == "during")
    what = f"{TIMED} is at most {budget_ms} ms (the decision budget of this stage) above p99 before"
    at_default = "within" if worst_ms - before_ms <= DEFAULT_BUDGET_MS else "not within"
    seen = f"{before_ms:.0f} ms before, {worst_ms:.0f} ms in the worst phase; {at_default} the default budget of 60 ms"
    return Promise(what, worst_ms - before_ms <= budget_ms, seen)


def _decided_elsewhere(play: Play, logged: Sequence[RequestLine]) -> Promise:
    away = [phase for phase in play.phases if phase.name in {"refused", "hung"}]
    shares = {p.name: decisions.decided(decisions.between(logged, p.began, p.ended)).by_store for p in away}
    seen = "; ".join(f"{name}: {text.shares(by_store) or 'nobody'}" for name, by_store in shares.items())
    others = all(by_store and by_store.get("redis", 0.0) < 50 for by_store in shares.values())
    return Promise("While Redis is away another store decides", others, seen)


def _bounded(tier: str, answers: Sequence[Answer]) -> Promise:
    found = admissions(tier, answers)
    what = f"Reports of the {tier} key: never more than burst + 1 + rate x time ({BURST} + 1 + {RATE_PER_S}/s)"
    seen = f"{found.admitted} admitted, {found.refused} refused; at most {found.most:.0%} of the bound in any stretch"
    return Promise(what, found.most <= 1 and found.refused > 0, seen)


def _reported(answers: Sequence[Answer]) -> list[str]:
    return sorted({answer.tier for answer in answers if answer.flow.startswith("reports of ")})


def admissions(tier: str, answers: Sequence[Answer]) -> Admissions:
    """Hold a key's reports against the limit's bound; refusals of the edge aren't the limit's."""
    asked = [answer for answer in answers if answer.flow == f"reports of {tier}"]
    admitted = [(answer.asked_at, answer.ended_at) for answer in asked if answer.by in {"handler", "failed", "nobody"}]
    refused = sum(answer.by == "limits" for answer in asked)
    return against_bound(admitted, refused, rate_per_s=RATE_PER_S, burst=BURST)


def _single(orders: Orders) -> Promise:
    seen = f"{orders.keys} keys, {orders.orders} orders, {orders.sold} pieces sold"
    if orders.differing:
        seen += f"; of {len(orders.differing)} keys the answers differ"
    held = orders.keys == orders.orders == orders.sold and not orders.differing and orders.keys > 0
    return Promise("Each order's key, asked for two times and more: one order, one answer", held, seen)

"""What happens if Redis is down? Killed, hung and started again empty, with limits and idempotency checked."""

import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Protocol

import httpx

from tidegate_local import cloud
from tidegate_local.scenarios import decisions, flows, report
from tidegate_local.scenarios.answers import Answer, tally
from tidegate_local.scenarios.bound import Admissions, against_bound
from tidegate_local.scenarios.decisions import Decision
from tidegate_local.scenarios.goods import Goods, check_orders
from tidegate_local.scenarios.play import Play
from tidegate_local.scenarios.report import Promise, Report
from tidegate_local.scenarios.traffic import Asking, Flow
from tidegate_local.scenarios.warming import warm

NAME = "redis-down"
QUESTION = "What happens if Redis is down?"
ENVIRONMENTS = 18
# The limit of GET /v1/reports/sales, for each key: functions/api/routes/reports.py.
RATE_PER_S, BURST = 1, 5
_DEFAULT_BUDGET_MS = 60
_BACK_WITHIN_S = 30.0
_ANSWERED_WITHIN_S = 60.0


class Faults(Protocol):
    """A Redis that can be broken: see faults.RedisFaults."""

    def kill(self) -> None:
        """Make it refuse."""

    def hang(self) -> None:
        """Make it silent."""

    def resume(self) -> None:
        """End its silence."""

    def restart_empty(self) -> None:
        """Start it anew, without what it knew."""

    def heal(self) -> None:
        """Undo whatever was done."""


@dataclass(frozen=True)
class Pace:
    """How long each part lasts, in seconds."""

    quiet_s: float = 8.0
    fault_s: float = 8.0
    between_s: float = 4.0


@dataclass(frozen=True)
class Orders:
    """What became of the orders' keys: how many were asked for, ordered and sold, and which had several answers."""

    keys: int
    orders: int
    sold: int
    differing: tuple[str, ...]


def traffic(goods: Goods) -> list[Flow]:
    """Return clients that read, order (each key twice), and ask for reports three times as often as they may."""
    return [
        flows.pages("pro", 5, flows.PAST_THE_CACHE, most=3),
        flows.pages("internal", 5, most=2),
        flows.orders("internal", 4, goods, most=3),
        *(flows.reports(tier, 1.6, most=2) for tier in ("free", "pro", "internal")),
        flows.health(4),
    ]


def play(play: Play, faults: Faults, pace: Pace | None = None) -> Report:
    """Break Redis in turn, and hold what clients saw against what is promised; Redis is well afterwards.

    Raises:
        LocalCloudError: the cloud can't be broken, or the scenario was stopped.
    """
    check_orders(play.state)
    warm(play.state, ENVIRONMENTS)
    try:
        with Goods.stocked(play.state) as goods:
            with play.traffic(traffic(goods)):
                back_s = _break(play, faults, pace or Pace())
            orders = _count(play, goods)
    finally:
        faults.heal()
    logged = decisions.read(play.state, play.since())
    budget_ms = decision_budget_ms(play)
    held = promises(play, logged, orders, back_s, budget_ms)
    return report.of_play(play, logged, held, name=NAME, question=QUESTION)


def _break(play: Play, faults: Faults, pace: Pace) -> list[float]:
    """Make the faults; returns after how many seconds each time Redis decided again."""
    play.lasts("before", "before", pace.quiet_s)
    faults.kill()
    play.did("Redis killed (SIGKILL): connections are refused")
    play.lasts("refused", "during", pace.fault_s)
    faults.restart_empty()
    play.did("Redis started again, empty, on its port")
    back_s = [_until_back(play, "back", pace)]
    faults.hang()
    play.did("Redis stopped (SIGSTOP): it accepts and never answers")
    play.lasts("hung", "during", pace.fault_s)
    faults.resume()
    play.did("Redis goes on (SIGCONT)")
    back_s.append(_until_back(play, "resumed", pace))
    faults.restart_empty()
    play.did("Redis killed and started again at once: it has forgotten everything")
    play.lasts("restarted empty", "during", pace.fault_s)
    return [*back_s, _until_back(play, "after", pace)]


def _until_back(play: Play, name: str, pace: Pace) -> float:
    """Wait until every environment that is asked has Redis decide; returns how long that took, infinity if for ever."""
    began = time.time()
    with play.phase(name, "after", pace.between_s):
        back = play.until(lambda: _is_back(play, began), _BACK_WITHIN_S)
        took_s = time.time() - began
        play.did(f"Redis decides again, {took_s:.1f} s later" if back else "Redis doesn't decide again")
        play.wait(max(0.0, pace.between_s - took_s))
    return took_s if back else float("inf")


def _is_back(play: Play, since: float) -> bool:
    said = [answer.said for answer in play.seen() if answer.flow == "health" and answer.asked_at >= since]
    return len(said) >= 4 and all(each.startswith("redis ") for each in said[-4:])


def _count(play: Play, goods: Goods) -> Orders:
    """Ask for every key once more, until it is answered, and count what the tables have of it."""
    asked = [answer for answer in play.answers if answer.about]
    numbers = sorted({int(answer.about.split()[1]) for answer in asked})
    said: dict[str, set[str]] = {}
    for answer in asked:
        said.setdefault(answer.about, set()).update({answer.said} - {""})
    with httpx.Client(timeout=30, trust_env=False) as http:
        for number in numbers:
            asking = flows.order(goods, "internal", number)
            said[asking.about].add(_answer(play, http, asking))
    differing = tuple(about for about, answers in said.items() if len(answers) != 1)
    return Orders(len(said), len(goods.orders()), goods.sold(), differing)


def _answer(play: Play, http: httpx.Client, asking: Asking) -> str:
    """Ask as a well-behaved client does, again after a refusal."""
    url, key = f"{play.state.api_url}/v1/orders", {"x-api-key": play.state.api_keys["internal"]}
    deadline = time.monotonic() + _ANSWERED_WITHIN_S
    while True:
        answer = http.post(url, headers={**key, **asking.headers}, json=asking.json)
        if answer.status_code not in {409, 429} or time.monotonic() > deadline:
            return flows.order_said(answer) or f"status {answer.status_code}"
        time.sleep(float(answer.headers.get("retry-after", "0.2")))


def promises(
    play: Play, logged: Sequence[Decision], orders: Orders, back_s: Sequence[float], budget_ms: int
) -> tuple[Promise, ...]:
    """Hold what was seen against what is promised."""
    return (
        _no_failures(play.answers),
        _quick(play, budget_ms),
        _decided_elsewhere(play, logged),
        *(_bounded(tier, play.answers) for tier in ("free", "pro", "internal")),
        _single(orders),
        Promise(
            f"Redis decides again by itself within {_BACK_WITHIN_S:.0f} s of its return",
            max(back_s) < float("inf"),
            "after " + ", ".join(f"{each:.1f}" for each in back_s) + " s",
        ),
    )


def _no_failures(answers: Sequence[Answer]) -> Promise:
    bad = [answer for answer in answers if answer.by in {"failed", "nobody"}]
    seen = f"{len(bad)} of {len(answers):,}" + (f", the first: {bad[0].status} of {bad[0].flow}" if bad else "")
    return Promise("No client gets a 5xx, and each gets an answer", not bad, seen)


def _quick(play: Play, budget_ms: int) -> Promise:
    before_ms = tally(play.during("before")).p99_ms or 0.0
    worst_ms = max(tally(play.within(p.name)).p99_ms or 0.0 for p in play.phases if p.when == "during")
    what = f"p99 with Redis broken is at most {budget_ms} ms (the decision budget of this stage) above p99 before"
    at_default = "within" if worst_ms - before_ms <= _DEFAULT_BUDGET_MS else "not within"
    seen = f"{before_ms:.0f} ms before, {worst_ms:.0f} ms in the worst phase; {at_default} the default budget of 60 ms"
    return Promise(what, worst_ms - before_ms <= budget_ms, seen)


def _decided_elsewhere(play: Play, logged: Sequence[Decision]) -> Promise:
    away = [phase for phase in play.phases if phase.name in {"refused", "hung"}]
    shares = {p.name: decisions.decided(decisions.between(logged, p.began, p.ended)).by_store for p in away}
    seen = "; ".join(f"{name}: {_said(by_store)}" for name, by_store in shares.items())
    others = all(by_store and by_store.get("redis", 0.0) < 50 for by_store in shares.values())
    return Promise("While Redis is away another store decides", others, seen)


def _said(by_store: dict[str, float]) -> str:
    return ", ".join(f"{store} {share:g} %" for store, share in by_store.items()) or "nobody"


def _bounded(tier: str, answers: Sequence[Answer]) -> Promise:
    found = admissions(tier, answers)
    what = f"Reports of the {tier} key: never more than burst + 1 + rate x time ({BURST} + 1 + {RATE_PER_S}/s)"
    seen = f"{found.admitted} admitted, {found.refused} refused; at most {found.most:.0%} of the bound in any stretch"
    return Promise(what, found.most <= 1 and found.refused > 0, seen)


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


def decision_budget_ms(play: Play) -> int:
    """Ask the deployed function how long its decisions may take."""
    function, alias = play.state.outputs["FunctionName"], play.state.outputs["AliasName"]
    with closing(cloud.client("lambda", play.state.endpoint_url)) as functions:
        found = functions.get_function_configuration(FunctionName=function, Qualifier=alias)
    told = found.get("Environment", {}).get("Variables", {}).get("TIDEGATE_DECISION_BUDGET_MS")
    return int(told) if told else _DEFAULT_BUDGET_MS

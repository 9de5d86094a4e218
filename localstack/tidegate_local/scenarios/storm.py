"""What happens in a request storm? Ten times the traffic of three tiers, and each protection taking its part."""

import os
import time

import httpx

from tidegate_local.errors import ScenarioError
from tidegate_local.layout import StateFolder
from tidegate_local.scenarios import copies, decisions, flows, report
from tidegate_local.scenarios.clone import Clone
from tidegate_local.scenarios.goods import Goods, check_orders
from tidegate_local.scenarios.play import Play
from tidegate_local.scenarios.report import Report
from tidegate_local.scenarios.storm_verdict import promises
from tidegate_local.scenarios.traffic import Flow
from tidegate_local.scenarios.warming import warm

NAME = "storm"
QUESTION = "What happens in a request storm?"
_ENVIRONMENTS = 18
_QUIET_S, _DRAINED_WITHIN_S = 8.0, 90.0
_CALM_S, _CALM_WITHIN_S = 3.0, 120.0
# Without anything else a calm moment is a load of less than one.
_BUSY_PER_CORE = 1.5
# What the copy's fleet can have at work at once. On AWS it is the reserved concurrency.
_CAPACITY = 3
_PAGE_S = 0.15
_SLOW_PAGES = f"""
import time as _time

_quick_page = ProductTable.page


def _slow_page(self, *args, **kwargs):
    _time.sleep({_PAGE_S})  # no processor's time: many environments share a few cores here
    return _quick_page(self, *args, **kwargs)


ProductTable.page = _slow_page
"""
_COPY = (
    f"Played on a copy that is told that its fleet can do {_CAPACITY} requests at once, and whose products take "
    f"{_PAGE_S * 1000:.0f} ms to read, as from a slow database: the shop is too quick for a client on the same two "
    "cores. The working tree's local stage is told no capacity, and sheds by waits and deadlines alone"
)
_ABOUT = (_COPY, "Clients wanted 8 requests a second before and after, 80 in the storm")
# What is dearest goes on as ever: a storm is what the others do.
CRITICAL_PER_S = 2.0


def quiet(goods: Goods) -> list[Flow]:
    """Return a calm moment's clients, 8 requests a second: the critical orders, and the three tiers' other wishes."""
    return [
        flows.orders("internal", CRITICAL_PER_S, goods, most=3),
        flows.pages("internal", 1, most=2),
        flows.pages("pro", 2, most=2),
        flows.pages("free", 2, flows.SHEDDABLE, most=2),
        flows.reports("pro", 0.5, most=1),
        flows.exports("pro", 0.5, goods, most=1),
    ]


def burst(goods: Goods) -> list[Flow]:
    """Return ten times as much from the same keys, most of it at the edge, at the limits and at the queue."""
    return [
        flows.orders("internal", CRITICAL_PER_S, goods, most=3),
        flows.pages("internal", 2, most=2),
        flows.pages("pro", 18, most=3),
        flows.pages("free", 52, flows.SHEDDABLE, most=3),
        flows.reports("pro", 4, most=2),
        flows.exports("pro", 2, goods, most=2),
    ]


def surge(goods: Goods) -> list[Flow]:
    """Return ten times as much that passes the edge and the limits: only capacity is short."""
    return [
        flows.orders("internal", CRITICAL_PER_S, goods, most=3),
        flows.pages("internal", 2, most=2),
        flows.pages("pro", 45, flows.PAST_THE_CACHE, most=5),
        flows.pages("free", 30, flows.SHEDDABLE, most=3),
        flows.reports("pro", 0.5, most=1),
        flows.exports("pro", 0.5, goods, most=1),
    ]


def play(folder: StateFolder, play: Play) -> Report:
    """Raise a storm over a copy that knows its capacity, and hold what clients saw against what is promised.

    Afterwards the working tree is in force again.

    Raises:
        LocalCloudError: the copy can't be deployed, or the scenario was stopped.
    """
    check_orders(play.state)
    with copies.own_version_afterwards(folder), copies.copy(folder) as clone:
        _limit(clone)
        play.state = copies.deploy(clone, folder)
        warm(play.state, _ENVIRONMENTS)
        _await_calm(Play(play.state, play.view, play.stop))
        with Goods.stocked(play.state) as goods, play.traffic(quiet(goods)):
            play.lasts("before", "before", _QUIET_S)
        rage(play)
        with Goods.stocked(play.state) as goods, play.traffic(quiet(goods)):
            undone = _drain(play)
        logged = decisions.read(play.state, play.since())
    return report.of_play(play, logged, promises(play, undone), name=NAME, question=QUESTION, about=_ABOUT)


def _limit(clone: Clone) -> None:
    """Give the copy a slow database, and tell its API what its fleet can do."""
    plain = 'environment=self._environment("api"),'
    capable = f"{plain[:-1]} | {{'TIDEGATE_CAPACITY': '{_CAPACITY}'}},"
    clone.replace("infra/cdk/tidegate_cdk/api/protected_api.py", plain, capable)
    clone.append("functions/api/data/products.py", _SLOW_PAGES)


def _await_calm(play: Play) -> None:
    """Let what the starts were really short of be over: many at once are too much for few cores, for a moment."""
    began = time.time()

    def calm() -> bool:
        recent = [answer for answer in play.seen() if answer.asked_at > time.time() - _CALM_S]
        return time.time() - began > _CALM_S and not any(answer.by == "shedding" for answer in recent)

    with Goods.stocked(play.state) as goods, play.traffic(quiet(goods)):
        is_calm = play.until(calm, _CALM_WITHIN_S)
    if not is_calm:
        raise ScenarioError(not_calm(os.getloadavg()[0], os.cpu_count() or 1))


def not_calm(load: float, cores: int) -> str:
    """Say why quiet traffic is shed: for the machine's load, if it has one; else nobody knows why."""
    said = f"The API sheds its quiet traffic after {_CALM_WITHIN_S:.0f} s"
    if load > _BUSY_PER_CORE * cores:
        return f"{said}: this machine is too busy for a storm (load {load:.1f} on {cores} cores). Try again later."
    return (
        f"{said}, and the machine isn't busy (load {load:.1f} on {cores} cores): that is a fault. "
        "The lines with outcome 'shed' say by which signal: tidegate logs."
    )


def _drain(play: Play) -> list[str]:
    """Wait until what was queued is done; returns what never was."""
    waiting = [answer.said for answer in play.answers if answer.by == "queue"]
    key = {"x-api-key": play.state.key("pro")}
    with play.phase("after", "after", _QUIET_S), httpx.Client(timeout=30, trust_env=False) as http:
        began = time.monotonic()

        def done() -> bool:
            while waiting and http.get(waiting[0], headers=key).status_code == 200:
                waiting.pop(0)
            return not waiting

        if play.until(done, _DRAINED_WITHIN_S):
            play.did("All that was queued is done")
        play.wait(max(0.0, _QUIET_S - (time.monotonic() - began)))
    return waiting


def rage(play: Play, seconds: float = 24.0) -> None:
    """Raise a storm over a cloud as it is, half of the time each way; what clients saw is in the play's answers.

    Raises:
        ScenarioError: it was stopped.
    """
    for name, flowing in (("burst", burst), ("surge", surge)):
        play.did(f"The storm: {name}")
        with Goods.stocked(play.state) as goods, play.traffic(flowing(goods)):
            play.lasts(name, "during", seconds / 2)

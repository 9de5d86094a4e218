"""What happens in a request storm? Ten times the traffic of three tiers, and each protection taking its part."""

import math
import time
from collections.abc import Mapping

import httpx

from tidegate_local.layout import StateFolder
from tidegate_local.scenarios import copies, decisions, flows, report
from tidegate_local.scenarios.answers import Answer, tally
from tidegate_local.scenarios.clone import Clone
from tidegate_local.scenarios.goods import Goods, check_orders
from tidegate_local.scenarios.play import Play
from tidegate_local.scenarios.report import Promise, Report
from tidegate_local.scenarios.traffic import Flow
from tidegate_local.scenarios.warming import warm

NAME = "storm"
QUESTION = "What happens in a request storm?"
_ENVIRONMENTS = 18
_QUIET_S, _STORM_S, _MEASURE_S, _DRAINED_WITHIN_S = 8.0, 24.0, 4.0, 90.0
_SERVED_WITHIN_MS = 2000.0
_STORM = ("burst", "surge")
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
    warm(play.state, _ENVIRONMENTS)
    in_flight = _measured(play)
    room = math.sqrt(in_flight["burst"] * in_flight["surge"])
    with copies.own_version_afterwards(folder), copies.copy(folder) as clone:
        _limit(clone, room)
        play.state = copies.deploy(clone, folder)
        warm(play.state, _ENVIRONMENTS)
        with Goods.stocked(play.state) as goods:
            with play.traffic(quiet(goods)):
                play.lasts("before", "before", _QUIET_S)
            rage(play)
            with play.traffic(quiet(goods)):
                undone = _drain(play)
        logged = decisions.read(play.state, play.since())
    about = (_of_capacity(in_flight, room), "Clients wanted 8 requests a second before and after, 80 in the storm")
    return report.of_play(play, logged, promises(play, undone), name=NAME, question=QUESTION, about=about)


def _measured(play: Play) -> dict[str, float]:
    """Measure how many requests each half of the storm keeps at work at once where nothing is shed."""
    found = {}
    for name, flowing in (("burst", burst), ("surge", surge)):
        trial = Play(play.state, stop=play.stop)
        with Goods.stocked(play.state) as goods, trial.traffic(flowing(goods)):
            trial.lasts(name, "before", _MEASURE_S)
        (phase,) = trial.phases
        logged = decisions.between(decisions.read(play.state, phase.began), phase.began, phase.ended)
        found[name] = max(0.05, decisions.in_flight(logged, phase.ended - phase.began))
    return found


def _of_capacity(in_flight: Mapping[str, float], room: float) -> str:
    return (
        f"Measured beforehand, at work at once: {in_flight['burst']:.2f} in the burst, {in_flight['surge']:.2f} in the "
        f"surge. The copy that was deployed is told that its fleet can do {room:.2f}, in between; the working tree's "
        "local stage is told nothing, and sheds by waits and deadlines alone"
    )


def _limit(clone: Clone, room: float) -> None:
    """Tell the copy's API what its fleet can do; AWS's stage says so by its reserved concurrency."""
    plain = 'environment=self._environment("api"),'
    capacity = math.ceil(room)
    limits = {"TIDEGATE_CAPACITY": f"{capacity}", "TIDEGATE_SHED_IN_FLIGHT": f"{room / capacity:.3f}"}
    clone.replace("infra/stack.py", plain, f"{plain[:-1]} | {limits},")


def _drain(play: Play) -> list[str]:
    """Wait until what was queued is done; returns what never was."""
    waiting = [answer.said for answer in play.answers if answer.by == "queue"]
    key = {"x-api-key": play.state.api_keys["pro"]}
    with play.phase("after", "after", _QUIET_S), httpx.Client(timeout=30, trust_env=False) as http:
        began = time.monotonic()

        def done() -> bool:
            while waiting and http.get(play.state.api_url + waiting[0], headers=key).status_code == 200:
                waiting.pop(0)
            return not waiting

        if play.until(done, _DRAINED_WITHIN_S):
            play.did("All that was queued is done")
        play.wait(max(0.0, _QUIET_S - (time.monotonic() - began)))
    return waiting


def promises(play: Play, undone: list[str]) -> tuple[Promise, ...]:
    """Hold what was seen against what is promised."""
    raging = [answer for name in _STORM for answer in play.within(name)]
    return (
        _critical(raging),
        _no_failures(play.answers),
        _quick(raging),
        _each_took_part(raging),
        _dearest_last(play.within("surge")),
        _queued(play.answers, undone),
    )


def _critical(raging: list[Answer]) -> Promise:
    asked = [answer for answer in raging if criticality(answer.flow) == "critical"]
    served = sum(answer.by in {"handler", "replay"} for answer in asked)
    what = "Of the critical orders at least 99 % are served, and at once"
    return Promise(what, bool(asked) and served >= 0.99 * len(asked), f"{served} of {len(asked)}")


def _no_failures(answers: list[Answer]) -> Promise:
    bad = [answer for answer in answers if answer.by in {"failed", "nobody"}]
    what = "No 5xx but the 503 of shedding, which is problem+json with Retry-After; each request gets an answer"
    seen = f"{len(bad)} of {len(answers):,}" + (f", the first: {bad[0].status} of {bad[0].flow}" if bad else "")
    return Promise(what, not bad, seen)


def _quick(raging: list[Answer]) -> Promise:
    admitted = tally([answer for answer in raging if answer.by in {"handler", "cache", "replay", "queue"}])
    p99_ms = admitted.p99_ms or math.inf
    what = f"p99 of what is admitted is at most {_SERVED_WITHIN_MS:.0f} ms"
    return Promise(what, p99_ms <= _SERVED_WITHIN_MS, f"{p99_ms:.0f} ms; p50 {admitted.p50_ms or math.inf:.0f} ms")


def _each_took_part(raging: list[Answer]) -> Promise:
    counts = tally(raging).by_who
    parts = ("edge", "limits", "shedding", "cache", "queue")
    seen = ", ".join(f"{part} {counts.get(part, 0):,}" for part in parts)
    return Promise("Edge, limits, shedding, cache and queue each take their part", all(map(counts.get, parts)), seen)


def _dearest_last(surging: list[Answer]) -> Promise:
    shares = {level: _shed_share(surging, level) for level in ("sheddable", "normal", "critical")}
    held = shares["sheddable"] >= shares["normal"] >= shares["critical"] == 0
    seen = ", ".join(f"{level} {share:.0%}" for level, share in shares.items())
    return Promise("What is least critical is shed first, and nothing critical", held, f"shed in the surge: {seen}")


def _shed_share(answers: list[Answer], level: str) -> float:
    inside = [answer for answer in answers if criticality(answer.flow) == level and answer.by != "edge"]
    return sum(answer.by == "shedding" for answer in inside) / len(inside) if inside else 0.0


def _queued(answers: list[Answer], undone: list[str]) -> Promise:
    queued = sum(answer.by == "queue" for answer in answers)
    return Promise("What was queued is done in the end", not undone, f"{queued - len(undone)} of {queued}")


def criticality(flow: str) -> str:
    """Tell how critical a flow's requests are: by their routes, and what their headers say."""
    levels: Mapping[str, str] = {
        "orders": "critical",
        "pages": "normal",
        "reports": "sheddable",
        "exports": "sheddable",
    }
    return "sheddable" if flow == "pages of free" else levels[flow.split(maxsplit=1)[0]]


def rage(play: Play, seconds: float = 24.0) -> None:
    """Raise a storm over a cloud as it is, half of the time each way; what clients saw is in the play's answers.

    Raises:
        ScenarioError: it was stopped.
    """
    with Goods.stocked(play.state) as goods:
        for name, flowing in (("burst", burst), ("surge", surge)):
            play.did(f"The storm: {name}")
            with play.traffic(flowing(goods)):
                play.lasts(name, "during", seconds / 2)

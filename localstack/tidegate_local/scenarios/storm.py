"""What happens in a request storm? Ten times the traffic of three tiers, and each protection taking its part."""

import os
import time

import httpx

from tidegate_local.errors import ScenarioError
from tidegate_local.layout import StateFolder
from tidegate_local.scenarios import copies, decisions, report
from tidegate_local.scenarios.clone import Clone
from tidegate_local.scenarios.demo import Change, Demo
from tidegate_local.scenarios.play import Play
from tidegate_local.scenarios.report import Report
from tidegate_local.scenarios.storm_verdict import promises
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
_READ_S = 0.15


def play(folder: StateFolder, play: Play, demo: Demo) -> Report:
    """Raise a storm over a copy that knows its capacity, and hold what clients saw against what is promised.

    Afterwards the working tree is in force again.

    Raises:
        LocalCloudError: the copy can't be deployed, or the scenario was stopped.
    """
    demo.check(play.state)
    slow = demo.slow_reads(_READ_S)
    with copies.own_version_afterwards(folder), copies.copy(folder) as clone:
        _limit(clone, slow)
        play.state = copies.deploy(clone, folder)
        warm(play.state, demo.warming, _ENVIRONMENTS)
        _await_calm(Play(play.state, play.view, play.stop), demo)
        with demo.clients(play.state) as clients, play.traffic(clients.calm()):
            play.lasts("before", "before", _QUIET_S)
        rage(play, demo)
        with demo.clients(play.state) as clients, play.traffic(clients.calm()):
            undone = _drain(play)
        logged = decisions.read(play.state, play.since())
    return report.of_play(play, logged, promises(play, undone), name=NAME, question=QUESTION, about=_about(slow))


def _about(slow: Change) -> tuple[str, ...]:
    copy = (
        f"Played on a copy that is told that its fleet can do {_CAPACITY} requests at once, and that {slow.about}, as "
        "from a slow database: the API is too quick for a client on the same two cores. The working tree's local stage "
        "is told no capacity, and sheds by waits and deadlines alone"
    )
    return copy, "Clients wanted ten times as much in the storm as before and after"


def _limit(clone: Clone, slow: Change) -> None:
    """Give the copy a slow database, and tell its API what its fleet can do."""
    plain = 'environment=self._environment("api"),'
    capable = f"{plain[:-1]} | {{'TIDEGATE_CAPACITY': '{_CAPACITY}'}},"
    clone.replace("infra/cdk/tidegate_cdk/api/protected_api.py", plain, capable)
    clone.append(slow.file, slow.lines)


def _await_calm(play: Play, demo: Demo) -> None:
    """Let what the starts were really short of be over: many at once are too much for few cores, for a moment."""
    began = time.time()

    def calm() -> bool:
        recent = [answer for answer in play.seen() if answer.asked_at > time.time() - _CALM_S]
        return time.time() - began > _CALM_S and not any(answer.by == "shedding" for answer in recent)

    with demo.clients(play.state) as clients, play.traffic(clients.calm()):
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
    queued = [answer for answer in play.answers if answer.by == "queue"]
    waiting = [(answer.said, {"x-api-key": play.state.key(answer.tier)} if answer.tier else {}) for answer in queued]
    with play.phase("after", "after", _QUIET_S), httpx.Client(timeout=30, trust_env=False) as http:
        began = time.monotonic()

        def done() -> bool:
            while waiting and http.get(waiting[0][0], headers=waiting[0][1]).status_code == 200:
                waiting.pop(0)
            return not waiting

        if play.until(done, _DRAINED_WITHIN_S):
            play.did("All that was queued is done")
        play.wait(max(0.0, _QUIET_S - (time.monotonic() - began)))
    return [place for place, _ in waiting]


def rage(play: Play, demo: Demo, seconds: float = 24.0) -> None:
    """Raise a storm over a cloud as it is, half of the time each way; what clients saw is in the play's answers.

    Raises:
        ScenarioError: it was stopped.
    """
    for name in ("burst", "surge"):
        play.did(f"The storm: {name}")
        with demo.clients(play.state) as clients:
            flows = clients.burst() if name == "burst" else clients.surge()
            with play.traffic(flows):
                play.lasts(name, "during", seconds / 2)

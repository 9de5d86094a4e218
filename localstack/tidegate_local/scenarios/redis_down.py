"""What happens if Redis is down? Killed, hung and started again empty, with limits and idempotency checked."""

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import Protocol

import httpx

from tidegate_local import cloud
from tidegate_local.scenarios import decisions, report
from tidegate_local.scenarios.demo import Clients, Demo
from tidegate_local.scenarios.play import Play
from tidegate_local.scenarios.redis_verdict import BACK_WITHIN_S, DEFAULT_BUDGET_MS, Writes, promises
from tidegate_local.scenarios.report import Report
from tidegate_local.scenarios.traffic import Asking, Flow
from tidegate_local.scenarios.warming import warm
from tidegate_local.telemetry.lines import RequestLine
from tidegate_local.telemetry.reader import LineReader

NAME = "redis-down"
QUESTION = "What happens if Redis is down?"
_ANSWERED_WITHIN_S = 60.0
# So many decisions in a row by Redis, of whatever environments: it is back.
_CERTAIN = 10


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
class Extent:
    """How long each part lasts, in seconds; how many environments it takes, and whether its clients have to be few."""

    quiet_s: float = 8.0
    fault_s: float = 8.0
    between_s: float = 4.0
    brief: bool = False
    environments: int = 18


def play(play: Play, demo: Demo, faults: Faults, extent: Extent | None = None) -> Report:
    """Break Redis in turn, and hold what clients saw against what is promised; Redis is well afterwards.

    Raises:
        LocalCloudError: the cloud can't be broken, or the scenario was stopped.
    """
    extent = extent or Extent()
    faults.heal()  # what can't be healed is not to be broken, and says so before any traffic
    try:
        return play_breaking(play, demo, extent, lambda: _break(play, faults, extent))
    finally:
        faults.heal()


def play_breaking(play: Play, demo: Demo, extent: Extent, breaking: Callable[[], list[float]]) -> Report:
    """Break a cloud in another way, and hold what clients saw against the same promises.

    `breaking` returns after how many seconds each time Redis decided again (`until_back`).

    Raises:
        LocalCloudError: the cloud can't be broken, or the scenario was stopped.
    """
    demo.check(play.state)
    warm(play.state, demo.warming, extent.environments)
    with demo.clients(play.state) as clients:
        with play.traffic(clients.outage(brief=extent.brief)):
            back_s = breaking()
        writes = _count(play, clients)
    logged = decisions.read(play.state, play.since())
    budget_ms = decision_budget_ms(play)
    held = promises(play, logged, writes, back_s, budget_ms)
    return report.of_play(play, logged, held, name=NAME, question=QUESTION)


def _break(play: Play, faults: Faults, extent: Extent) -> list[float]:
    """Make the faults; returns after how many seconds each time Redis decided again."""
    play.lasts("before", "before", extent.quiet_s)
    faults.kill()
    play.did("Redis killed (SIGKILL): connections are refused")
    play.lasts("refused", "during", extent.fault_s)
    faults.restart_empty()
    play.did("Redis started again, empty, on its port")
    back_s = [until_back(play, "back", extent)]
    faults.hang()
    play.did("Redis stopped (SIGSTOP): it accepts and never answers")
    play.lasts("hung", "during", extent.fault_s)
    faults.resume()
    play.did("Redis goes on (SIGCONT)")
    back_s.append(until_back(play, "resumed", extent))
    faults.restart_empty()
    play.did("Redis killed and started again at once: it has forgotten everything")
    play.lasts("restarted empty", "during", extent.fault_s)
    return [*back_s, until_back(play, "after", extent)]


def until_back(play: Play, name: str, extent: Extent) -> float:
    """Wait, as a phase, until Redis decides whatever is asked; returns how long that took, infinity if for ever."""
    began = time.time()
    with LineReader.opened(play.state) as reader, play.phase(name, "after", extent.between_s):
        stores: list[str] = []

        def is_back() -> bool:
            lines = [line for line in reader.poll() if isinstance(line, RequestLine) and line.at_s >= began]
            stores.extend(line.store for line in lines if line.store)
            return len(stores) >= _CERTAIN and set(stores[-_CERTAIN:]) == {"redis"}

        back = play.until(is_back, BACK_WITHIN_S)
        took_s = time.time() - began
        play.did(f"Redis decides again, {took_s:.1f} s later" if back else "Redis doesn't decide again")
        play.wait(max(0.0, extent.between_s - took_s))
    return took_s if back else float("inf")


def _count(play: Play, clients: Clients) -> Writes:
    """Ask for every write once more, until it is answered, and count what they have done."""
    said: dict[str, set[str]] = {about: set() for about in play.writes}
    for answer in play.answers:
        if answer.about:
            said[answer.about].update({answer.said} - {""})
    with httpx.Client(timeout=30, trust_env=False) as http:
        for about, (flow, asking) in play.writes.items():
            said[about].add(_answer(play, http, flow, asking))
    differing = tuple(about for about, answers in said.items() if len(answers) != 1)
    return Writes(len(said), clients.done(), differing)


def _answer(play: Play, http: httpx.Client, flow: Flow, asking: Asking) -> str:
    """Ask as a well-behaved client does, again after a refusal."""
    key = {"x-api-key": play.state.key(flow.tier)} if flow.tier else {}
    url, headers = f"{play.state.api_url}{asking.path}", {**key, **asking.headers}
    deadline = time.monotonic() + _ANSWERED_WITHIN_S
    while True:
        answer = http.request(asking.method, url, headers=headers, json=asking.json)
        if answer.status_code not in {409, 429} or time.monotonic() > deadline:
            return flow.reads(answer) or f"status {answer.status_code}"
        time.sleep(float(answer.headers.get("retry-after", "0.2")))


def decision_budget_ms(play: Play) -> int:
    """Ask the deployed function how long its decisions may take."""
    function, alias = play.state.outputs["FunctionName"], play.state.outputs["AliasName"]
    with closing(cloud.client("lambda", play.state.endpoint_url)) as functions:
        found = functions.get_function_configuration(FunctionName=function, Qualifier=alias)
    told = found.get("Environment", {}).get("Variables", {}).get("TIDEGATE_DECISION_BUDGET_MS")
    return int(told) if told else DEFAULT_BUDGET_MS

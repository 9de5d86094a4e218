"""A scenario's report: what was done, what clients saw, and whether what was promised held."""

import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tidegate_local.errors import ScenarioError
from tidegate_local.files import write_atomically
from tidegate_local.scenarios import decisions
from tidegate_local.scenarios.answers import Answer, Tally, tally
from tidegate_local.scenarios.decisions import Decided
from tidegate_local.scenarios.play import Deed, Phase, Play
from tidegate_local.telemetry.lines import RequestLine


@dataclass(frozen=True)
class Promise:
    """What was promised, whether it held, and what was seen of it."""

    what: str
    held: bool
    seen: str


@dataclass(frozen=True)
class PhaseSeen:
    """A phase, what its clients saw, and who decided in it."""

    phase: Phase
    clients: Tally
    decided: Decided


@dataclass(frozen=True)
class Report:
    """One scenario, played once.

    `about` says what the figures were measured on; `not_sent` counts requests for which a client had no connection
    left; `weights` are of a new version in percent, each from a moment on (epoch seconds).
    """

    name: str
    question: str
    command: str
    about: tuple[str, ...]
    promises: tuple[Promise, ...]
    phases: tuple[PhaseSeen, ...]
    flows: tuple[tuple[str, Tally], ...]
    deeds: tuple[Deed, ...]
    answers: tuple[Answer, ...]
    not_sent: int
    weights: tuple[tuple[float, float], ...] = ()

    @property
    def held(self) -> bool:
        """Whether all that was promised held."""
        return all(promise.held for promise in self.promises)

    @property
    def began(self) -> float:
        """When the first phase began; epoch seconds."""
        return self.phases[0].phase.began


def of_play(
    play: Play,
    logged: Sequence[RequestLine],
    promises: Sequence[Promise],
    *,
    name: str,
    question: str,
    about: Sequence[str] = (),
    weights: Sequence[tuple[float, float]] = (),
) -> Report:
    """Make the report of what was played.

    Raises:
        ScenarioError: there was no phase.
    """
    if not play.phases:
        raise ScenarioError("Nothing was played. Play a scenario with `tidegate scenario NAME`.")
    answers = sorted(play.answers, key=lambda answer: answer.asked_at)
    flows = sorted({answer.flow for answer in answers})
    return Report(
        name,
        question,
        f"tidegate scenario {name}",
        (f"{time.strftime('%Y-%m-%d %H:%M', time.gmtime(play.since()))} UTC", *engine_and_machine(play), *about),
        tuple(promises),
        tuple(_seen(phase, answers, logged) for phase in play.phases),
        tuple((flow, tally([answer for answer in answers if answer.flow == flow])) for flow in flows),
        tuple(play.deeds),
        tuple(answers),
        play.not_sent,
        tuple(weights),
    )


def engine_and_machine(play: Play) -> tuple[str, ...]:
    """Say what it was played on."""
    versions = play.state.versions
    engine = f"engine {play.state.engine} {versions.get('engine', '')}".strip()
    return (engine, versions.get("redis", ""), machine())


def machine() -> str:
    """Say how many cores there are, and how busy they were: figures of a laptop depend on it."""
    return f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the end"


def write_json(report: Report, file: Path) -> None:
    """Write a report without its single answers."""
    kept = {name: value for name, value in asdict(report).items() if name not in {"answers", "weights"}}
    write_atomically(file, {"held": report.held, **kept})


def _seen(phase: Phase, answers: Sequence[Answer], logged: Sequence[RequestLine]) -> PhaseSeen:
    asked = [answer for answer in answers if phase.began <= answer.asked_at < phase.ended]
    return PhaseSeen(phase, tally(asked), decisions.decided(decisions.between(logged, phase.began, phase.ended)))

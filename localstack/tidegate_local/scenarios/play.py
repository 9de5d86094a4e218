"""A scenario while it is played: its phases, what was done, what its clients saw; and a view that is told of it."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event
from typing import Literal, Protocol

from tidegate_local.errors import ScenarioError
from tidegate_local.scenarios.answers import Answer
from tidegate_local.scenarios.traffic import Asking, Flow, Traffic
from tidegate_local.state import LocalState

When = Literal["before", "during", "after"]
_LOOK_EVERY_S = 0.25


@dataclass(frozen=True)
class Phase:
    """A stretch of a scenario, in epoch seconds; `when` says how it stands to what is broken."""

    name: str
    when: When
    began: float
    ended: float


@dataclass(frozen=True)
class Deed:
    """Something that was done, or seen, at a moment (epoch seconds)."""

    at: float
    what: str


class View(Protocol):
    """What shows a scenario while it is played."""

    def began(self, phase: str, seconds: float) -> None:
        """Take notice of a phase, and of how long it will last."""

    def did(self, deed: Deed) -> None:
        """Take notice of something that was done."""

    def tell(self, note: str) -> None:
        """Take notice of what else is so now, such as a release's weights."""

    def look(self, answers: Sequence[Answer]) -> None:
        """Show what clients see now; called a few times a second."""


class Unseen:
    """A view that shows nothing: for whoever plays a scenario from Python."""

    def began(self, phase: str, seconds: float) -> None:
        """Show nothing."""

    def did(self, deed: Deed) -> None:
        """Show nothing."""

    def tell(self, note: str) -> None:
        """Show nothing."""

    def look(self, answers: Sequence[Answer]) -> None:
        """Show nothing."""


@dataclass
class Play:
    """One scenario on a cloud that is up; `stop` ends it early, by a ScenarioError out of its next wait.

    `flows` are all that asked, by their names; `writes` all that was asked for with retries, by what it is about.
    """

    state: LocalState
    view: View = field(default_factory=Unseen)
    stop: Event = field(default_factory=Event)
    phases: list[Phase] = field(default_factory=list)
    deeds: list[Deed] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    not_sent: int = 0
    flows: dict[str, Flow] = field(default_factory=dict)
    writes: dict[str, tuple[Flow, Asking]] = field(default_factory=dict)
    _traffic: Traffic | None = None

    def did(self, what: str) -> None:
        """Note something that was done just now."""
        self.deeds.append(Deed(time.time(), what))
        self.view.did(self.deeds[-1])

    @contextmanager
    def traffic(self, flows: Sequence[Flow]) -> Iterator[Traffic]:
        """Run flows during the block and keep all of their answers."""
        traffic = Traffic(self.state, flows)
        self.flows.update({flow.name: flow for flow in flows})
        try:
            with traffic:
                self._traffic = traffic
                yield traffic
        finally:
            self._traffic = None
            self.answers.extend(traffic.answers)
            self.writes.update(traffic.writes)
            self.not_sent += sum(traffic.not_sent.values())

    @contextmanager
    def phase(self, name: str, when: When, seconds: float) -> Iterator[None]:
        """Note the block as a phase; `seconds` is how long it is going to be."""
        began = time.time()
        self.view.began(name, seconds)
        yield
        self.phases.append(Phase(name, when, began, time.time()))

    def lasts(self, name: str, when: When, seconds: float) -> None:
        """Let a phase pass in which nothing is done."""
        with self.phase(name, when, seconds):
            self.wait(seconds)

    def wait(self, seconds: float) -> None:
        """Let time pass, and show it."""
        self.until(lambda: False, seconds)

    def until(self, condition: Callable[[], bool], within_s: float) -> bool:
        """Wait until something is so, and show it; False if it wasn't within the time.

        Raises:
            ScenarioError: the scenario was stopped.
        """
        deadline = time.monotonic() + within_s
        while not condition():
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                return False
            if self.stop.wait(min(_LOOK_EVERY_S, left_s)):
                raise ScenarioError("The scenario was stopped. Play it again with `tidegate scenario`.")
            self.look()
        return True

    def look(self) -> None:
        """Show what clients have seen so far."""
        self.view.look(self.seen())

    def seen(self) -> list[Answer]:
        """Return all answers so far, those of the traffic that runs too."""
        return [*self.answers, *(self._traffic.answers if self._traffic else ())]

    def since(self) -> float:
        """Return when the first phase began; epoch seconds."""
        return self.phases[0].began if self.phases else time.time()

    def during(self, when: When) -> list[Answer]:
        """Return what was asked for in phases of one sort."""
        spans = [(phase.began, phase.ended) for phase in self.phases if phase.when == when]
        return [a for a in self.answers if any(began <= a.asked_at < ended for began, ended in spans)]

    def within(self, name: str) -> list[Answer]:
        """Return what was asked for in the phases of a name."""
        spans = [(phase.began, phase.ended) for phase in self.phases if phase.name == name]
        return [a for a in self.answers if any(began <= a.asked_at < ended for began, ended in spans)]

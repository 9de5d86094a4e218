"""What a project has of its own for the scenarios: its clients, and versions of it that are bad on purpose.

`[tool.tidegate] demo` of its pyproject.toml names it; docs/project.md says how one is written.
"""

import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib import import_module
from typing import Protocol, runtime_checkable

from tidegate_local.errors import ScenarioError
from tidegate_local.layout import project_folder
from tidegate_local.project_facts import ProjectFacts
from tidegate_local.scenarios.traffic import Asking, Flow
from tidegate_local.state import LocalState


@dataclass(frozen=True)
class Change:
    """Lines at the end of a source file, which make another version of the project.

    `about` completes "A version that …"; `hurts` begins the names of the flows whose requests it fails.
    """

    file: str
    lines: str
    about: str
    hurts: str = ""


class Clients(Protocol):
    """Clients with data of their own; each method returns flows for one moment.

    A request whose `about` is set is a write that is done once, however often it is asked for.
    """

    def outage(self, *, brief: bool) -> Sequence[Flow]:
        """Read past every copy, write each thing twice and more, and ask for more than one limit allows.

        `brief`: there are only seconds, on a machine that does other things, too.
        """

    def calm(self) -> Sequence[Flow]:
        """Ask for a little of everything: critical writes, reads, what is limited, what is queued."""

    def burst(self) -> Sequence[Flow]:
        """Ask ten times as much, most of it beyond the edge's throttles, the limits and the queue's rate."""

    def surge(self) -> Sequence[Flow]:
        """Ask ten times as much, which passes the edge and the limits: only capacity is short."""

    def release(self, per_s: float) -> Sequence[Flow]:
        """Ask so often in all, and mostly for what `failing` fails; nobody repeats a request."""

    def done(self) -> dict[str, int]:
        """Count what the writes have done, by what is counted; each is as many as were asked for. {}: none is made."""


@runtime_checkable
class Demo(Protocol):
    """A project's demo."""

    @property
    def warming(self) -> Sequence[str]:
        """Paths that are asked in turn until an environment has loaded all that it needs."""

    @property
    def source(self) -> str:
        """A source file of the API: a comment at its end is a version that does the same."""

    def check(self, state: LocalState) -> None:
        """See that the demo can be played.

        Raises:
            ScenarioError: it can't; the message says what to do.
        """

    def clients(self, state: LocalState) -> AbstractContextManager[Clients]:
        """Make data for the block, with clients; both are taken away after it."""

    def reading(self, turn: int) -> Asking:
        """Read something that no copy answers."""

    def failing(self, share: float) -> Change:
        """Make a version that fails this share of its writes, and nothing else."""

    def slow_reads(self, seconds: float) -> Change:
        """Make a version whose reads wait so long, as for a slow database, without using a processor."""


def same(demo: Demo, comment: str) -> Change:
    """Make a version that does the same."""
    return Change(demo.source, f"# {comment}", "does the same")


def of_project(facts: ProjectFacts | None = None) -> Demo:
    """Load the project's demo.

    Raises:
        LocalCloudError: the project has none, or what it names is none; the message says what to write.
    """
    facts = facts or ProjectFacts.read()
    if facts.demo is None:
        raise ScenarioError(
            "This project has no demo. Name one in pyproject.toml, [tool.tidegate] demo; docs/project.md says how it "
            "is written."
        )
    module, _, name = facts.demo.partition(":")
    project = str(project_folder())
    if project not in sys.path:
        sys.path.insert(0, project)
    try:
        found = getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ScenarioError(f"[tool.tidegate] demo is {facts.demo!r}, which can't be loaded: {error}") from error
    if not isinstance(found, Demo):
        wanted = ("warming", "source", "check", "clients", "reading", "failing", "slow_reads")
        lacking = [part for part in wanted if not hasattr(found, part)]
        raise ScenarioError(f"[tool.tidegate] demo is {facts.demo!r}, which has no {', '.join(lacking)}.")
    return found

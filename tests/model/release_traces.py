"""What a release's machine was seen to do, and whether the model of releases does it.

Seen are the states that the machine entered, with the step, the canary's share and the outcome that it had there. Step
Functions keeps that of each execution (GetExecutionHistory), and the simulation of an account does.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from tests.model.release_steps import ReleaseSteps, State, definition_
from tests.model.releases import ReleaseModel
from tests.model.traces import distinct, explained

_WORKS = {"Task", "Map"}


class Sighting(NamedTuple):
    """A state that the machine entered; "begins" before the first, "ends" after the last.

    Attributes:
        state: its name in the definition.
        step, percent, outcome: the document's; None where it has none yet.
    """

    state: str
    step: int | None = None
    percent: float | None = None
    outcome: str | None = None

    @classmethod
    def of(cls, state: str, document: Mapping[str, Any]) -> Sighting:
        """Return what the state and its document show."""
        return cls(state, document.get("step"), document.get("percent"), document.get("outcome"))


BEGINS, ENDS = Sighting("begins"), Sighting("ends")


def history(events: Sequence[Mapping[str, Any]]) -> list[Sighting]:
    """Return the sightings of an execution so far, from its events in their order."""
    entered = [event["stateEnteredEventDetails"] for event in events if "stateEnteredEventDetails" in event]
    states = definition_()["States"]
    # A Map has states within, by names of their own.
    works = [one for one in entered if states.get(one["name"], {}).get("Type") in _WORKS]
    ended = [ENDS] if events[-1]["type"] == "ExecutionSucceeded" else []
    return [BEGINS, *(Sighting.of(one["name"], json.loads(one["input"])) for one in works), *ended]


def plan(document: Mapping[str, Any]) -> tuple[float, ...]:
    """Return the canary's shares of a release's plan, from its machine's input."""
    return tuple(percent for percent, *_ in json.loads(document["order"]["Way"])["steps"])


def first_refused(seen: Sequence[Sighting], shares: Sequence[float]) -> Sighting | None:
    """Return the first sighting that the model doesn't explain; None: it explains all.

    The release is an update, with a migration or without one. Nobody intervened, and no call was lost.
    """
    sightings = distinct(seen)
    count = max(_explained(sightings, ReleaseSteps(shares=tuple(shares), expands=expands)) for expands in (True, False))
    return sightings[count] if count < len(sightings) else None


def _explained(seen: Sequence[Sighting], happens: ReleaseSteps) -> int:
    return explained(ReleaseModel("releases, as they were seen", "", happens, 0, 0, ()), seen, _shown)


def _shown(state: State) -> Sighting:
    machine = next((one for one in state.machines if one.id == "forward"), None)
    if machine is None:
        return BEGINS
    return Sighting.of(machine.at, json.loads(machine.document)) if machine.at else ENDS

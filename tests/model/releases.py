"""What has to hold of releases, and the models in which that is checked: by what goes wrong and who intervenes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from tests.model.checker import Invariant
from tests.model.release_programs import STEPS
from tests.model.release_steps import CANARY, OLD, STABLE, ReleaseSteps, State, Step

_WEIGHTS = {round(percent / 100, 4) for percent in STEPS}


class ReleaseModel(NamedTuple):
    """One model of releases.

    Attributes:
        name, bounds: as the table shows them.
        happens: what may happen.
        faults, people: how many faults may happen, and how often people may intervene.
        invariants: what has to hold.
    """

    name: str
    bounds: str
    happens: ReleaseSteps
    faults: int
    people: int
    invariants: Sequence[Invariant[State]]

    def begins(self) -> Iterable[State]:
        yield State(faults=self.faults, people=self.people)

    def steps(self, state: State) -> Iterable[Step]:
        return self.happens(state)

    def at_rest(self, state: State) -> bool:
        return rests(state)


def rests(state: State) -> bool:
    """Whether the stack has come to its end, and nothing runs any more."""
    ended = all(machine.at in {"", "died"} for machine in state.machines)
    return state.stack in {"new", "old"} and ended and not state.requests and state.by_hand != "entered"


def weight(state: State) -> float:
    """Return the canary's share of the traffic."""
    version, weights = state.alias
    return 1.0 if version == CANARY else dict(weights).get(CANARY, 0.0)


def one_in_force(before: State | None, after: State) -> bool:
    """At the end one version has all of the traffic, and it is the stack's, or a person's choice."""
    if not rests(after):
        return True
    version, weights = after.alias
    stacks = CANARY if after.stack == "new" else STABLE
    return not weights and version in ({stacks, OLD} if after.by_hand else {stacks})


def by_plan(before: State | None, after: State) -> bool:
    version, weights = after.alias
    return version in {STABLE, CANARY, OLD} and all(
        (version, name) == (STABLE, CANARY) and share in _WEIGHTS for name, share in weights
    )


def bad_gets_no_more(before: State | None, after: State) -> bool:
    return before is None or not before.bad or after.stack == "new" or weight(after) <= weight(before)


def answers_agree(before: State | None, after: State) -> bool:
    return len({request for request, _ in after.answers}) == len(after.answers)


def expanded_first(before: State | None, after: State) -> bool:
    """Clients reach the canary on the expanded schema only, and what was expanded stays while they do."""
    return not weight(after) or after.schema == 2


def contracted_last(before: State | None, after: State) -> bool:
    """The old form goes when CloudFormation has heard of the promotion."""
    return before is None or before.contracted == after.contracted or ("forward", "SUCCESS") in after.answers


def told_truly(before: State | None, after: State) -> bool:
    """A success is told when the canary has all of the traffic; after a failure CloudFormation goes back anyhow."""
    if before is None or before.answers == after.answers or after.by_hand or after.stack != "waits":
        return True
    return ("forward", "SUCCESS") not in after.answers or weight(after) == 1.0


def a_way_back_succeeds(before: State | None, after: State) -> bool:
    return after.faults == 0 and ("back", "FAILED") not in after.answers


INVARIANTS = (
    Invariant[State]("A release ends with exactly one version in force, the stack's or a person's.", one_in_force),
    Invariant[State]("Weights are the plan's, and the canary's alone.", by_plan),
    Invariant[State]("A canary that was found bad never gets more traffic.", bad_gets_no_more),
    Invariant[State]("Clients reach the canary on the expanded schema only.", expanded_first),
    Invariant[State]("The old form goes after the promotion alone.", contracted_last),
    Invariant[State]("CloudFormation hears of a success when it is one.", told_truly),
)
# A start that AWS doesn't confirm is answered as a failure, and its machine may tell the truth later.
ONE_ANSWER = Invariant[State]("Without a fault a request is answered one thing.", answers_agree)
WELL = Invariant[State]("Without a fault the stack's way back succeeds.", a_way_back_succeeds)
CALM = (*INVARIANTS, ONE_ANSWER, WELL)


def models(*, deep: bool = False) -> list[ReleaseModel]:
    """Return all models of releases; `deep`: with wider bounds."""
    what = "1 function, steps of 10 and 50 %"

    def made(
        name: str, bounds: str, invariants: Sequence[Invariant[State]], happens: ReleaseSteps, faults: int, people: int
    ) -> ReleaseModel:
        return ReleaseModel(f"releases, {name}", f"{what}; {bounds}", happens, faults, people, invariants)

    shifting, dying = ReleaseSteps(cancels="Shift", surprises=False), ReleaseSteps(loses=False)
    found = [
        made("a person intervenes", "1 intervention", CALM, ReleaseSteps(), 0, 1),
        made("cancelled while it shifts", "1 cancellation, versions are well", CALM, shifting, 0, 0),
        made("a machine that stalls or dies", "1 fault", INVARIANTS, dying, 1, 0),
    ]
    if deep:
        found += [
            made("cancelled after the lock", "1 cancellation", CALM, ReleaseSteps(cancels="any"), 0, 0),
            made("lost calls", "1 fault, versions are well", INVARIANTS, ReleaseSteps(surprises=False), 1, 0),
        ]
    return found

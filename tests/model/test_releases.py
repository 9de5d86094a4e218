"""No order of calls, deaths and interventions breaks what is promised of releases; code that is broken is found."""

import copy

import pytest

from functions.rollout import aliases, begin, returning, shifting, states
from functions.rollout.history import Entry
from tests.model import release_steps, releases
from tests.model.checker import check
from tests.model.release_steps import ReleaseSteps
from tidegate_cdk.release_machine import definition

pytestmark = pytest.mark.slow

MODELS = {model.name: model for model in releases.models()}
PLAIN = releases.ReleaseModel("", "", ReleaseSteps(), 0, 0, ())
CANCELLED = releases.ReleaseModel("", "", ReleaseSteps(cancels="Shift", surprises=False), 0, 0, ())
IN_FORCE, PLAN, BAD, EXPANDED, CONTRACTED, TOLD = releases.INVARIANTS


@pytest.mark.parametrize("name", MODELS)
def test_all_that_is_promised_of_releases_holds(name):
    found = check(MODELS[name])
    assert found.violation is None, str(found.violation)


def machine(**states_):
    """The deployed machine with some of its states' members changed."""
    made = copy.deepcopy(definition("rollout", "judge"))
    for name, members in states_.items():
        made["States"][name] |= members
    return lambda: made


def heavier(self, function, stable, canary, percent):
    self._update(function, stable, {canary: 2 * percent / 100})


def answered_twice(document, order, using, answer=returning.answer):
    found = answer(document, order, using)
    returning.cloudformation.answer(document["answer"], "SUCCESS", "It isn't.")
    return found


def stale(request, known, aliases_, meaning=begin.meaning):
    return meaning(request, known, aliases_)._replace(moves=())


BROKEN = {
    "a weight that isn't the plan's": (PLAIN, (aliases.Aliases, "shift", heavier), PLAN),
    "a verdict that isn't heeded": (
        PLAIN,
        (release_steps, "definition_", machine(Judged={"Choices": [], "Default": "Promote"})),
        BAD,
    ),
    "a second answer": (PLAIN, (states, "_STATES", {**states._STATES, "answer": answered_twice}), releases.ONE_ANSWER),
    "a release without migrations": (
        PLAIN,
        (release_steps, "definition_", machine(Begun={"Choices": [], "Default": "Ready"})),
        EXPANDED,
    ),
    "a contraction before the answer": (
        PLAIN,
        (release_steps, "definition_", machine(Promoted={"Choices": [], "Default": "Contract"})),
        CONTRACTED,
    ),
    "a promotion that isn't made": (PLAIN, (shifting, "settled", lambda *_: None), TOLD),
    "a way back that moves nothing": (CANCELLED, (begin, "meaning", stale), IN_FORCE),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_release_is_found(what, monkeypatch):
    model, (where, attribute, broken), invariant = BROKEN[what]
    monkeypatch.setattr(where, attribute, broken)
    found = check(model._replace(invariants=(invariant,)))
    assert found.violation is not None
    assert found.violation.says == invariant.says
    assert 10 <= len(found.violation.trace) <= 60


def test_a_way_back_that_fails_is_found(monkeypatch):
    """As it did: what Python can't write as JSON ended the stack's rollback."""
    monkeypatch.setattr(Entry, "dumps", lambda self: Entry.loads(None))
    found = check(CANCELLED._replace(invariants=(releases.WELL,)))
    assert found.violation is not None

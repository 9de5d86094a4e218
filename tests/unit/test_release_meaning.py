"""What CloudFormation's requests mean, after whatever was released, given up, refused, cancelled or moved by hand."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from functions.rollout.aliases import Split
from functions.rollout.history import Entry, History, UnderWay, trimmed
from functions.rollout.meaning import Move, Request, meaning

V1, V2, V3 = ({"api": str(n), "worker": str(n)} for n in (1, 2, 3))


def at(versions, **weights):
    return {name: Split(version, dict(weights)) for name, version in versions.items()}


def entry(versions, ended, before=None, release="r"):
    return Entry(release, versions, before or {}, ended, 1)


PROMOTED = (entry(V1, "promoted", release="r1"), entry(V2, "promoted", V1, "r2"))
BACK_BY_HAND = (*PROMOTED, entry(V1, "by-hand", V2, "hand"))


def update(versions, former, known, aliases, name="back"):
    return meaning(Request("Update", name, versions, former), known, aliases)


def test_a_failed_release_after_a_rollback_by_hand_leaves_that_in_force():
    known = History([*BACK_BY_HAND, entry(V3, "rolled-back", V1, "r3")], V1)
    found = update(V2, V3, known, at(V1))
    assert (found.act, found.moves) == ("settled", ())
    assert "api stays at version 1, where it was put by hand." in found.said


def test_what_was_moved_on_the_console_stays_too():
    known = History([*PROMOTED, entry(V3, "rolled-back", V1, "r3")], V2)
    assert update(V2, V3, known, at(V1)).moves == ()


def test_the_next_release_after_a_rollback_by_hand_is_one():
    assert update(V3, V2, History(BACK_BY_HAND, V1), at(V1)).act == "release"


def test_a_cancelled_release_ends_and_its_weight_goes():
    known = History(PROMOTED, V2, UnderWay("r3", V3, V2))
    found = update(V2, V3, known, {name: Split("2", {"3": 0.1}) for name in V2})
    assert found.ends
    assert found.moves == (Move("api", ("2",)), Move("worker", ("2",)))


def test_a_release_cancelled_while_it_is_promoted_goes_back():
    known = History(PROMOTED, V2, UnderWay("r3", V3, V2))
    assert update(V2, V3, known, at(V3)).moves == (Move("api", ("2",)), Move("worker", ("2",)))


def test_after_a_promotion_the_stack_s_way_back_goes_back():
    known = History([*PROMOTED, entry(V3, "promoted", V2, "r3")], V3)
    found = update(V2, V3, known, at(V3))
    assert found.takes_back
    assert found.moves == (Move("api", ("2",)), Move("worker", ("2",)))


def test_after_a_promotion_over_a_rollback_by_hand_that_is_gone_back_to():
    known = History([*BACK_BY_HAND, entry(V3, "promoted", V1, "r3")], V3)
    assert update(V2, V3, known, at(V3)).moves == (Move("api", ("1", "2")), Move("worker", ("1", "2")))


def test_a_rollback_by_hand_after_a_promotion_outlasts_the_stack_s():
    known = History([*PROMOTED, entry(V3, "promoted", V2, "r3"), entry(V1, "by-hand", V3)], V1)
    assert update(V2, V3, known, at(V1)).moves == ()


def test_a_refused_release_leaves_the_one_that_runs_alone():
    other = {"api": "4", "worker": "4"}
    known = History([*PROMOTED, entry(other, "refused", V2, "r4")], V2, UnderWay("r3", V3, V2))
    found = update(V2, other, known, {name: Split("2", {"3": 0.1}) for name in V2})
    assert (found.moves, found.ends, found.said) == ((), False, "Another release is under way: it goes on.")


@pytest.mark.parametrize(("ended", "well"), [("promoted", True), ("rolled-back", False), ("refused", False)])
def test_a_request_that_is_delivered_again_begins_nothing(ended, well):
    known = History([*PROMOTED, entry(V3, ended, V2, "r3")], V2)
    found = update(V3, V2, known, at(V2), "r3")
    assert (found.act, found.well) == ("answered", well)
    running = History(PROMOTED, V2, UnderWay("r3", V3, V2))
    assert update(V3, V2, running, at(V2), "r3").act == "again"


def test_a_deploy_that_was_not_rolled_back_is_tried_again():
    known = History([*PROMOTED, entry(V3, "rolled-back", V2, "r3")], V2)
    for former in (V2, V3):
        assert update(V3, former, known, at(V2), "again").act == "release"


@pytest.mark.parametrize("in_force", [V1, V2])
def test_the_same_versions_on_another_way_are_no_release(in_force):
    assert update(V2, V2, History(BACK_BY_HAND, in_force), at(in_force)).act == "settled"


def test_without_a_history_the_request_itself_tells():
    assert update(V3, V2, History(), at(V2)).act == "release"
    for in_force in (V1, V2):
        assert update(V2, V3, History(), at(in_force)).moves == ()
    assert update(V2, V3, History(), at(V3)).moves == (Move("api", ("2",)), Move("worker", ("2",)))


@pytest.mark.parametrize("named", ["$LATEST", "live"])
def test_an_alias_at_no_number_is_put_at_what_the_ledger_says(named):
    broken = at(V1) | {"api": Split(named, {})}
    known = History([*BACK_BY_HAND, entry(V3, "rolled-back", V1, "r3")], V1)
    found = update(V2, V3, known, broken)
    assert found.moves == (Move("api", ("1", "2")),)
    assert f"The alias of api named {named}, and is put at version 1." in found.said


def test_a_missing_alias_is_made_again_unless_its_function_is_new():
    known = History(BACK_BY_HAND, V1)
    assert update(V2, V3, known, at(V1) | {"worker": None}).moves == (Move("worker", ("1", "2"), missing=True),)
    more = V2 | {"reports": "1"}
    assert update(more, V2, known, at(V1) | {"reports": None}).moves == ()


def test_a_renamed_function_s_way_back_is_no_release():
    renamed = {"shop-api": "1", "worker": "3"}
    known = History([*PROMOTED, entry(renamed, "rolled-back", V2, "r3")], V2)
    assert update(renamed, V2, known, at(V2) | {"shop-api": None}).act == "release"
    assert update(V2, renamed, known, at(V2)).moves == ()


def test_a_deleted_stack_ends_its_own_release_alone():
    known = History(PROMOTED, V2, UnderWay("r3", V3, V2))
    assert meaning(Request("Delete", "d", V3), known, {}).ends
    assert not meaning(Request("Delete", "d", V2), known, {}).ends


def test_however_many_fail_it_stays_known_what_served():
    entries = [entry(V1, "promoted").dumps(), *[entry(V3, "rolled-back").dumps()] * 99, entry(V2, "promoted").dumps()]
    kept = [Entry.loads(text) for text in trimmed(entries)]
    assert [of.versions for of in kept if of.ended == "promoted"] == [V1, V2]
    assert len(kept) == 22


class Deploy(NamedTuple):
    """An update of the stack that isn't over."""

    id: str
    former: dict
    before: dict  # in force when it began


class Stack(RuleBasedStateMachine):
    """CloudFormation, the machine and people, around the one function that tells what requests mean."""

    def __init__(self):
        super().__init__()
        self.numbers, self.ids = itertools.count(2), itertools.count()
        self.ordered = {"api": "1", "worker": "1"}
        self.aliases = at(self.ordered)
        self.history = History([entry(self.ordered, "promoted", release="first")], self.ordered)
        self.open: Deploy | None = None
        self.released = None  # what the deploy under way brings

    def named(self):
        return {name: split.version for name, split in self.aliases.items()}

    def enter(self, versions, ended, before, release, in_force=None):
        entries = [*self.history.entries, entry(dict(versions), ended, dict(before), release)]
        self.history = History(entries, in_force or self.history.in_force, None)

    @precondition(lambda self: self.open is None)
    @rule(both=st.booleans())
    def deploy(self, both):
        number = str(next(self.numbers))
        new = {"api": number, "worker": number if both else self.ordered["worker"]}
        name = f"request-{next(self.ids)}"
        found = meaning(Request("Update", name, new, self.ordered), self.history, self.aliases)
        assert found.act == "release", "what was published just now is always a release"
        self.open = Deploy(name, self.ordered, self.named())
        self.ordered, self.released = new, new
        self.history = self.history._replace(running=UnderWay(name, new, self.named()), in_force=self.named())

    @precondition(lambda self: self.history.running)
    @rule()
    def shift(self):
        for name, split in self.aliases.items():
            if split.version == self.history.running.before[name] != self.released[name]:
                self.aliases[name] = Split(split.version, {self.released[name]: 0.1})

    @precondition(lambda self: self.history.running)
    @rule(ends=st.sampled_from(["promoted", "rolled-back", "dies", "dies promoting"]))
    def machine(self, ends):
        running, in_force = self.history.running, self.history.in_force
        if ends == "dies":
            return  # weights stay, and nobody answers until the stack gives up
        if ends == "dies promoting":
            self.aliases = at(self.released)
            return
        to = self.released if ends == "promoted" else in_force
        self.aliases = at(to)
        self.enter(running.versions, ends, running.before, running.release, to)

    @rule(which=st.integers(0, 50), console=st.booleans())
    def by_hand(self, which, console):
        """Somebody puts an older set in force, by the command or on the console."""
        sets = [of for of in self.history.promotions() if of != self.released]
        if not sets:
            return
        to = sets[which % len(sets)]
        if self.history.running and console:
            return  # the machine sees that at its next move
        self.aliases = at(to)
        if not console:
            running = self.history.running
            self.enter(to, "by-hand", self.named(), f"hand-{next(self.ids)}", dict(to))
            if running:
                self.enter(running.versions, "rolled-back", running.before, running.release, dict(to))

    @precondition(lambda self: self.open)
    @rule(twice=st.booleans())
    def roll_back(self, twice):
        """The stack gives up: cancelled, failed, or another of its resources failed after the promotion."""
        request = Request("Update", f"request-{next(self.ids)}", self.open.former, self.ordered)
        running = self.history.running
        served = self.named() if not running else {}
        found = meaning(request, self.history, self.aliases)
        assert found.act == "settled", "a way back never begins a release"
        by_hand = {name: v for name, v in served.items() if v != self.released[name]}
        for move in found.moves:
            self.aliases[move.function] = Split(move.versions[0], {})
        if running:
            assert found.ends
            self.enter(running.versions, "rolled-back", running.before, running.release)
        if found.takes_back:
            self.enter(self.ordered, "taken-back", self.named(), request.id, self.named())
        # What a person chose stays; all else is as it was before the update.
        for name, version in self.named().items():
            assert version == by_hand.get(name, version)
            assert version != self.released[name] or self.released[name] == self.open.former[name]
            if name not in by_hand and not found.ends:
                assert version in {self.open.before[name], self.released[name]}
        assert not any(split.weights for split in self.aliases.values())
        self.ordered, self.open, self.released = self.open.former, None, None
        if twice:
            again = meaning(request, self.history, self.aliases)
            assert again.act in {"settled", "answered"}
            assert not again.moves

    @precondition(lambda self: self.open and not self.history.running and self.history.of(self.ordered))
    @rule()
    def complete(self):
        """The stack is through, if the release was promoted; then its aliases are what the template says."""
        if self.history.of(self.ordered).ended != "promoted":
            return
        self.open = self.released = None

    @precondition(lambda self: self.open is None)
    @rule()
    def another_way(self):
        """A deploy that changes how one releases, and no code."""
        request = Request("Update", f"request-{next(self.ids)}", self.ordered, self.ordered)
        found = meaning(request, self.history, self.aliases)
        assert (found.act, found.moves) == ("settled", ())

    @invariant()
    def aliases_name_numbers(self):
        assert all(split.version.isdigit() for split in self.aliases.values())


TestStack = Stack.TestCase
TestStack.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)

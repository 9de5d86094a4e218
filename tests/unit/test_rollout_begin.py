"""The beginning of a release: ordered by CloudFormation, or by whoever deploys where there is nobody to answer."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from functions.rollout import begin, cloudformation, handler, states
from functions.rollout.aliases import Split
from functions.rollout.history import Entry, History, UnderWay
from functions.rollout.ledger import LedgerMissingError
from functions.rollout.order import Order

TARGETS = [{"Name": "shop-api", "Version": "7", "Serves": "http"}]
PROPERTIES = {
    "Machine": "arn:machine",
    "Namespace": "test",
    "Alias": "live",
    "Targets": TARGETS,
    "Way": json.dumps({"steps": [[10, 2, 4, "advance"]], "look_s": 1, "warm": 2, "keep": 5, "hold_s": 60}),
}
WAITING = {"ResponseURL": "http://127.0.0.1:9/answer", "StackId": "stack", "LogicalResourceId": "Release"}


def ordered(version):
    return {**PROPERTIES, "Targets": [{**TARGETS[0], "Version": version}]}


def promoted(*versions):
    return [Entry(f"r{version}", {"shop-api": version}, {}, "promoted", 1) for version in versions]


class AlreadyExistsError(Exception):
    """Step Functions': an execution of that name has ended."""


class Controller:
    """What the beginning works with: the aliases, the ledger, the versions that are there, and who was told what."""

    def __init__(self, monkeypatch, aliases, entries=(), running=None, missing=False, there="123456789"):
        self.started, self.answered, self.entered, self.ended = [], [], [], []
        self.aliases = {name: Split(version, {}) for name, version in aliases.items()}
        self.there = there
        self._missing = missing
        self._history = History(entries, entries[-1].versions if entries else {}, running)
        using = SimpleNamespace(aliases=self, ledger=self)
        monkeypatch.setattr(begin, "parts", lambda _: using)
        exceptions = SimpleNamespace(ExecutionAlreadyExists=AlreadyExistsError)
        client = SimpleNamespace(start_execution=self._start, exceptions=exceptions)
        monkeypatch.setattr(begin, "client", lambda _: client)
        monkeypatch.setattr(cloudformation, "answer", lambda to, *said: self.answered.append((to, *said)))

    def _start(self, **told):
        if any(told["name"] == name for name, _ in self.started):
            raise AlreadyExistsError
        self.started.append((told["name"], json.loads(told["input"])))

    def read_all(self, names):
        return {name: self.aliases.get(name) for name in names}

    def settle_at_first(self, name, versions, *, missing):
        found = next((version for version in versions if version in self.there), None)
        if found:
            self.aliases[name] = Split(found, {})
        return found

    def history(self):
        if self._missing:
            raise LedgerMissingError("The table tidegate is missing.")
        return self._history

    def read(self):
        return SimpleNamespace(token=5)

    def end(self, token, state, reason):
        self.ended.append((token, state))

    def enter(self, entry, in_force):
        self.entered.append((entry, in_force))


def asked(kind="Update", properties=PROPERTIES, **more):
    event = {"RequestType": kind, "RequestId": "id-1", "ResourceProperties": properties, **more}
    return handler.handler(event, None)["said"]


def test_a_machine_is_started_and_told_who_waits(monkeypatch):
    controller = Controller(monkeypatch, {"shop-api": "6"}, promoted("6"))
    assert asked(OldResourceProperties=ordered("6"), **WAITING) is None
    ((name, told),) = controller.started
    assert (name, told["order"], told["former"], told["first"]) == ("id-1", PROPERTIES, {"shop-api": "6"}, False)
    assert told["answer"]["ResponseURL"] == WAITING["ResponseURL"]


def test_a_request_that_comes_twice_starts_one_machine(monkeypatch):
    controller = Controller(monkeypatch, {"shop-api": "6"}, promoted("6"))
    for _ in range(2):
        assert asked(**WAITING) is None
    assert len(controller.started) == 1
    assert not controller.answered


def test_where_nobody_waits_nobody_is_answered(monkeypatch):
    controller = Controller(monkeypatch, {"shop-api": "6"}, promoted("6"))
    assert asked() is None
    ((_, told),) = controller.started
    assert "ResponseURL" not in told["answer"]
    monkeypatch.undo()
    cloudformation.answer(told["answer"], "SUCCESS", "nobody hears it")


def test_an_error_is_answered_or_else_raised(monkeypatch):
    controller = Controller(monkeypatch, {})
    assert "didn't begin: KeyError" in asked(properties={"Machine": "m"}, **WAITING)
    assert controller.answered[0][1] == "FAILED"
    with pytest.raises(KeyError):
        asked(properties={"Machine": "m"})


def test_a_stack_that_is_deleted_goes_whatever_is_wrong(monkeypatch):
    controller = Controller(monkeypatch, {}, missing=True)
    for properties in (PROPERTIES, {}):
        assert asked("Delete", properties, **WAITING).startswith("The aliases go with the stack.")
    assert [status for _, status, _ in controller.answered] == ["SUCCESS", "SUCCESS"]


def test_a_promotion_that_the_stack_takes_back_is_written_down(monkeypatch):
    entries = [*promoted("7"), Entry("r8", {"shop-api": "8"}, {"shop-api": "7"}, "promoted", 2)]
    controller = Controller(monkeypatch, {"shop-api": "8"}, entries)
    assert asked(OldResourceProperties=ordered("8")) == "shop-api is back at version 7."
    assert controller.aliases["shop-api"].version == "7"
    ((entry, in_force),) = controller.entered
    assert (entry.ended, entry.versions, in_force) == ("taken-back", {"shop-api": "8"}, {"shop-api": "7"})
    assert not controller.started


def test_what_is_not_there_any_more_is_not_gone_back_to(monkeypatch):
    entries = [*promoted("6", "7"), Entry("r8", {"shop-api": "8"}, {"shop-api": "6"}, "promoted", 2)]
    controller = Controller(monkeypatch, {"shop-api": "8"}, entries, there="78")
    asked(OldResourceProperties=ordered("8"))
    assert controller.aliases["shop-api"].version == "7"
    gone = Controller(monkeypatch, {"shop-api": "8"}, entries, there="8")
    assert "None of the versions 6, 7 of shop-api is there any more." in asked(OldResourceProperties=ordered("8"))
    assert gone.aliases["shop-api"].version == "8"


def test_the_release_that_is_given_up_is_ended_and_no_other(monkeypatch):
    for given_up, ended in (("8", [(5, "rolled-back")]), ("9", [])):
        running = UnderWay("r8", {"shop-api": "8"}, {"shop-api": "7"})
        controller = Controller(monkeypatch, {"shop-api": "7"}, promoted("7"), running)
        controller.aliases["shop-api"] = Split("7", {"8": 0.1})
        said = asked(OldResourceProperties=ordered(given_up))
        assert controller.ended == ended
        assert bool(controller.aliases["shop-api"].weights) is not bool(ended)
        assert ("goes on" in said) is not bool(ended)


def test_a_missing_table_is_named_and_keeps_no_stack_from_going_back(monkeypatch):
    controller = Controller(monkeypatch, {"shop-api": "7"}, missing=True)
    said = asked(properties=ordered("8"), OldResourceProperties=PROPERTIES, **WAITING)
    assert said.startswith("The release didn't begin: The table tidegate is missing.")
    assert controller.answered[-1][1] == "FAILED"
    said = asked(OldResourceProperties=ordered("8"), **WAITING)
    assert controller.answered[-1][1] == "SUCCESS"
    assert "The table tidegate is missing." in said
    assert controller.aliases["shop-api"].version == "7"


@pytest.mark.parametrize("named", ["$LATEST", None])
def test_a_broken_alias_is_mended_by_a_way_back_and_by_a_release(monkeypatch, named):
    controller = Controller(monkeypatch, {"shop-api": named} if named else {}, promoted("6", "7"))
    asked(OldResourceProperties=ordered("8"), **WAITING)
    assert controller.answered[-1][1] == "SUCCESS"
    assert controller.aliases["shop-api"].version == "7"
    Controller(monkeypatch, {"shop-api": named} if named else {}, promoted("6", "7"))
    assert asked(properties=ordered("8"), OldResourceProperties=PROPERTIES, **WAITING) is None


@pytest.mark.parametrize(
    ("kind", "in_force", "entries", "first"),
    [
        ("Create", {"shop-api": "7"}, [], True),  # the aliases were made before the first release
        ("Create", {"shop-api": "7"}, promoted("7"), None),
        ("Create", {"shop-api": "6"}, [], False),  # another deployer's version is in force: it gets its canary
        ("Create", {}, [], False),
        ("Update", {"shop-api": "7"}, [], None),
    ],
)
def test_a_first_release_is_one_though_its_aliases_are_there(monkeypatch, kind, in_force, entries, first):
    controller = Controller(monkeypatch, in_force, entries)
    asked(kind)
    assert [told["first"] for _, told in controller.started] == ([] if first is None else [first])


class Locking:
    """The ledger, as far as the lock goes, and the aliases with the versions that they may name."""

    def __init__(self, aliases, in_force=None, free=True):
        self.aliases = {name: Split(version, {}) for name, version in aliases.items()}
        self.entered, self.settled = [], {}
        self._in_force, self._free = in_force or {}, free
        self.entries, self.ended = [], []

    def history(self):
        return History(self.entries, self._in_force)

    def end(self, token, state, reason):
        self.ended.append((token, state))

    def lock(self, release_id, about):
        self.about = about
        return 3 if self._free else None

    def fence(self, token):
        return {}

    def enter(self, entry):
        self.entered.append(entry)

    def read_all(self, names):
        return {name: self.aliases.get(name) for name in names}

    def settle_at_first(self, name, versions, *, missing):
        self.settled[name] = (versions[0], missing)
        return versions[0]

    def named(self, name, version):
        return {"FunctionName": name, "FunctionVersion": version}


def locked(locking, **document):
    using = SimpleNamespace(aliases=locking, ledger=locking)
    return states.lock({"id": "id-1", **document}, Order.of(PROPERTIES), using)


def test_a_first_release_has_nothing_to_go_back_to():
    found = locked(Locking({"shop-api": "7"}), first=True)
    assert (found["stable"], found["back"]) == ({}, [])


def test_a_new_stack_s_versions_are_not_taken_for_a_former_stack_s():
    locking = Locking({})
    locked(locking)
    assert (locking.about["history"], locking.about["promotions"]) == ([], [])
    locking = Locking({"shop-api": "6"})
    locked(locking)
    assert "history" not in locking.about


@pytest.mark.parametrize("named", ["$LATEST", None])
def test_the_lock_mends_what_the_ledger_knows(named):
    locking = Locking({"shop-api": named} if named else {}, {"shop-api": "5"})
    found = locked(locking, former={"shop-api": "6"})
    assert found["stable"] == {"shop-api": "5"}
    assert locking.settled == {"shop-api": ("5", named is None)}
    assert locked(Locking({"shop-api": "$LATEST"}), former={"shop-api": "6"})["stable"] == {"shop-api": "6"}


def test_an_alias_that_nobody_can_mend_is_named():
    found = locked(Locking({"shop-api": "$LATEST"}))
    assert found["outcome"] == "refused"
    assert found["reason"].startswith("The alias live of shop-api names $LATEST, which is no published version")


def test_a_refusal_is_written_down():
    locking = Locking({"shop-api": "6"}, free=False)
    assert locked(locking)["outcome"] == "refused"
    ((entry),) = locking.entered
    assert (entry.release, entry.ended, entry.versions) == ("id-1", "refused", {"shop-api": "7"})
    assert not locking.settled


def test_what_is_shifted_while_a_release_is_given_up_goes_back(monkeypatch):
    """Found by tests/model: its machine shifts between the reading of the aliases and the end of its lock."""
    running = UnderWay("r7", {"shop-api": "7"}, {"shop-api": "6"})
    controller = Controller(monkeypatch, {"shop-api": "6"}, promoted("6"), running)

    def end(token, state, reason):
        controller.ended.append((token, state))
        controller.aliases["shop-api"] = Split("6", {"7": 0.1})

    monkeypatch.setattr(controller, "end", end)
    asked(properties=ordered("6"), OldResourceProperties=ordered("7"), **WAITING)
    assert controller.aliases == {"shop-api": Split("6", {})}
    assert controller.answered[0][1] == "SUCCESS"


def test_an_alias_is_repaired_before_any_release_was_written_down():
    """Found by tests/model: versions of a history that is empty are a view, which JSON can't write."""
    entry = Entry("id-1", {"shop-api": "6"}, History().in_force, "by-stack", 1)
    assert Entry.loads(entry.dumps()).before == {}


def test_a_way_back_from_a_release_that_has_not_begun_is_written_down(monkeypatch):
    """Found by tests/model: its machine takes the lock after the stack has gone back, and nobody stops it."""
    controller = Controller(monkeypatch, {"shop-api": "6"}, promoted("6"))
    asked(properties=ordered("6"), OldResourceProperties=ordered("7"), **WAITING)
    ((entry, in_force),) = controller.entered
    assert (entry.ended, entry.versions, in_force) == ("taken-back", {"shop-api": "7"}, None)
    assert controller.answered[0][1] == "SUCCESS"


@pytest.mark.parametrize(("at", "outcome"), [(99, "locked"), (100, "refused")])
def test_a_release_that_the_stack_has_gone_back_from_does_not_begin(at, outcome):
    locking = Locking({"shop-api": "6"})
    locking.entries = [Entry("back", {"shop-api": "7"}, {}, "taken-back", at)]
    assert locked(locking, asked=100)["outcome"] == outcome
    assert locking.ended == ([(3, "rolled-back")] if outcome == "refused" else [])

"""A hand in the console in the middle of a release: aliases, versions and the ledger's item that go or change."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from functions.rollout import afterwards, begin, cloudformation, handler, returning, states, watching
from functions.rollout.aliases import Aliases, Split
from functions.rollout.history import Entry, History
from functions.rollout.ledger import Known, LedgerDamagedError, SupersededError
from functions.rollout.order import Order

API, WORKER = "shop-api", "shop-worker"
STABLE = {API: "6", WORKER: "4"}
PROPERTIES = {
    "Machine": "arn:machine",
    "Namespace": "test",
    "Alias": "live",
    "Targets": [{"Name": API, "Version": "7", "Serves": "any"}, {"Name": WORKER, "Version": "5", "Serves": "any"}],
    "Way": json.dumps({"steps": [[10, 60, 300, "hold"]], "look_s": 10, "warm": 2, "keep": 1, "hold_s": 600}),
}
ORDER = Order.of(PROPERTIES)


class NotFoundError(Exception):
    """Lambda's ResourceNotFoundException."""


class ConflictError(Exception):
    """Lambda's ResourceConflictException."""


class Lambda:
    """Functions with their versions and aliases, as the console may change them; two aliases are on a page."""

    exceptions = SimpleNamespace(ResourceNotFoundException=NotFoundError)

    def __init__(self):
        self.versions = {API: [*"1234567"], WORKER: [*"12345"]}
        self.aliases = {(API, "live"): ("6", {"7": 0.1}), (WORKER, "live"): ("4", {"5": 0.1})}
        self.fails = {}

    def get_alias(self, FunctionName, Name):  # noqa: N803  # boto's names
        if (FunctionName, Name) not in self.aliases:
            raise NotFoundError
        return self._alias(FunctionName, Name)

    def _alias(self, function, name):
        version, weights = self.aliases[function, name]
        return {"FunctionVersion": version, "RoutingConfig": {"AdditionalVersionWeights": weights}}

    def update_alias(self, FunctionName, Name, FunctionVersion, RoutingConfig):  # noqa: N803
        if error := self.fails.get(FunctionName):
            raise error
        self.get_alias(FunctionName, Name)
        self.create_alias(FunctionName, Name, FunctionVersion, RoutingConfig["AdditionalVersionWeights"])

    def create_alias(self, FunctionName, Name, FunctionVersion, weights=()):  # noqa: N803
        if FunctionVersion not in self.versions[FunctionName]:
            raise NotFoundError
        self.aliases[FunctionName, Name] = (FunctionVersion, dict(weights))

    def list_aliases(self, FunctionName, Marker="0"):  # noqa: N803
        own = [self._alias(*of) for of in self.aliases if of[0] == FunctionName]
        page = {"Aliases": own[int(Marker) : int(Marker) + 2]}
        return page | ({"NextMarker": str(int(Marker) + 2)} if len(own) > int(Marker) + 2 else {})

    def get_paginator(self, _):
        def paginate(FunctionName):  # noqa: N803
            return [{"Versions": [{"Version": of} for of in self.versions[FunctionName]]}]

        return SimpleNamespace(paginate=paginate)

    def delete_function(self, FunctionName, Qualifier):  # noqa: N803
        named = [page for at, page in self.aliases.items() if at[0] == FunctionName]
        if any(Qualifier in {version, *weights} for version, weights in named) or self.fails.get(
            f"{FunctionName} {Qualifier}"
        ):
            raise ConflictError(f"version {Qualifier} is used")
        self.versions[FunctionName].remove(Qualifier)


class Item:
    """The ledger, whose item is gone or damaged if `known` says so."""

    def __init__(self, known=None, entries=()):
        self.known, self.remarks, self.locked, self._entries = known, None, [], entries

    def write(self, token, **attributes):
        raise SupersededError("release 5 is over, or another one has the lock")

    def read(self):
        if isinstance(self.known, Exception):
            raise self.known
        return self.known

    def history(self):
        return History(self._entries, STABLE) if self._entries else self.read()

    def lock(self, release, about):
        self.locked.append(release)

    def remark(self, token, remarks):
        self.remarks = remarks

    def enter(self, *_):
        pass


@pytest.fixture
def functions():
    return Lambda()


def using(functions, item=None):
    return SimpleNamespace(aliases=Aliases(functions, "live"), ledger=item or Item(), counting=None)


def document(**of):
    return {"token": 5, "id": "r7", "stable": STABLE, "began": 1, "step": 0, "answer": {}, "order": PROPERTIES} | of


DAMAGED = LedgerDamagedError("The item release#test of the table tidegate can't be read (JSONDecodeError).")


@pytest.mark.parametrize("known", [None, Known(0, False, {"abort": True}), DAMAGED])
def test_a_release_whose_ledger_entry_was_deleted_takes_its_weight_back(functions, known):
    found = returning.roll_back(document(reason="Because."), ORDER, using(functions, Item(known)))
    assert functions.aliases == {(API, "live"): ("6", {}), (WORKER, "live"): ("4", {})}
    assert found["reason"] == "Because. The ledger's item of this release is gone."


@pytest.mark.parametrize("known", [Known(5, False, {}), Known(6, True, {}), Known(1, True, {})])
def test_a_release_that_was_given_up_leaves_the_aliases_to_its_successor(functions, known):
    before = dict(functions.aliases)
    found = returning.roll_back(document(reason="Because."), ORDER, using(functions, Item(known)))
    assert functions.aliases == before
    assert "another one has the lock" in found["reason"]


def test_a_judge_whose_ledger_entry_was_deleted_says_so(functions):
    with pytest.raises(SupersededError, match="the ledger's item of this release is gone"):
        watching.judge(document(looked=1, percent=10, step_began=1), ORDER, using(functions))


def test_a_deleted_alias_is_made_again_and_the_others_are_put_back(functions):
    del functions.aliases[API, "live"]
    said = Aliases(functions, "live").put_back(STABLE)
    assert functions.aliases == {(API, "live"): ("6", {}), (WORKER, "live"): ("4", {})}
    assert said[0].startswith("The alias of shop-api was missing, and is made again at version 6.")


def test_an_alias_that_can_not_be_put_back_keeps_no_other_from_it(functions):
    functions.fails[API] = ConnectionError("throttled")
    with pytest.raises(ConnectionError, match="throttled"):
        Aliases(functions, "live").put_back(STABLE)
    assert functions.aliases[WORKER, "live"] == ("4", {})


def test_a_version_that_was_deleted_with_its_alias_is_said(functions):
    del functions.aliases[API, "live"]
    functions.versions[API].remove("6")
    said = Aliases(functions, "live").put_back(STABLE)
    assert said == ["Version 6 of shop-api, which was in force, isn't there."]
    assert functions.aliases == {(WORKER, "live"): ("4", {})}


def test_what_an_alias_names_stays_and_what_can_not_go_stops_no_other(functions):
    functions.aliases[API, "live"] = ("7", {})
    functions.aliases |= {(API, name): (version, {}) for name, version in (("a", "7"), ("b", "2"), ("c", "7"))}
    functions.fails["shop-api 1"] = True
    functions.aliases[WORKER, "live"] = ("5", {})
    parts = using(functions, Item(entries=[Entry("r6", STABLE, {}, "promoted", 1)]))
    afterwards.prune(document(), ORDER, parts)
    assert functions.versions == {API: ["1", "2", "6", "7"], WORKER: ["4", "5"]}
    assert parts.ledger.remarks == ["Old versions couldn't be deleted. ConflictError: version 1 is used"]


@pytest.mark.parametrize("ended", ["promoted", "rolled-back", "refused", "taken-back"])
def test_an_execution_that_is_started_again_releases_nothing(functions, ended):
    item = Item(entries=[Entry("r7", ORDER.versions, STABLE, ended, 1, "Because.")])
    found = states.lock(document(), ORDER, using(functions, item))
    assert (found["outcome"], found["reason"]) == ("refused", "This release has ended already: Because.")
    assert not item.locked
    assert functions.aliases[API, "live"] == ("6", {"7": 0.1})


@pytest.fixture
def asked(functions, monkeypatch):
    """Ask the controller as CloudFormation does, while the ledger's item is damaged; return what it answers."""
    answers = []
    monkeypatch.setattr(begin, "parts", lambda _: using(functions, Item(DAMAGED)))
    monkeypatch.setattr(cloudformation, "answer", lambda to, *said: answers.append(said))

    def ask(version, former):
        ordered, old = (
            {**PROPERTIES, "Targets": [{"Name": API, "Version": of, "Serves": "any"}]} for of in (version, former)
        )
        waits = {"ResponseURL": "http://127.0.0.1:9/", "RequestType": "Update", "RequestId": "r8"}
        handler.handler({**waits, "ResourceProperties": ordered, "OldResourceProperties": old}, None)
        return answers[-1]

    return ask


def test_a_ledger_that_can_not_be_read_is_named_with_what_to_do(asked):
    state, reason = asked("7", "6")
    assert state == "FAILED"
    assert "can't be read (JSONDecodeError). Delete the item: the next release begins a history of its own." in reason


def test_a_ledger_that_can_not_be_read_keeps_no_stack_from_its_way_back(asked, functions):
    state, reason = asked("6", "7")
    assert state == "SUCCESS"
    assert "can't be read" in reason
    assert functions.aliases[API, "live"] == ("6", {})
    assert Aliases(functions, "live").read(API) == Split("6", {})

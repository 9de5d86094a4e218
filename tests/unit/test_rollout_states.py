"""What the machine's states do when a person, a successor, a lost table or the clock is in the way."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from functions.rollout import afterwards, cloudformation, patience, returning, shifting, states, watching
from functions.rollout.aliases import Split
from functions.rollout.history import Entry, History
from functions.rollout.judge import Counts, VersionCounts
from functions.rollout.judge.histogram import Histogram
from functions.rollout.ledger import LedgerMissingError, SupersededError
from functions.rollout.order import Order
from functions.rollout.smoke import Fault

API, WORKER = "shop-api", "shop-worker"
STABLE = {API: "6", WORKER: "4"}
RELEASED = {API: "7", WORKER: "5"}
PROPERTIES = {
    "Namespace": "test",
    "Alias": "live",
    "Targets": [
        {"Name": API, "Version": "7", "Serves": "http"},
        {"Name": WORKER, "Version": "5", "Serves": "queue"},
    ],
    "Way": json.dumps({"steps": [[10, 60, 300, "hold"]], "look_s": 10, "warm": 2, "keep": 2, "hold_s": 600}),
}
ORDER = Order.of(PROPERTIES)
BEGAN = 1_000_000


class Item:
    """The ledger: superseded from the so-and-so-manieth write on; or its table is gone."""

    def __init__(self, supersedes_at=None, missing=False, entries=(), aborted=False):
        self.written, self.ended, self.remarks, self.aborts = [], [], None, aborted
        self._supersedes_at, self._missing, self._entries = supersedes_at, missing, entries

    def write(self, token, **attributes):
        if self._missing:
            raise LedgerMissingError("The table is missing.")
        self.written.append(attributes)
        if self._supersedes_at is not None and len(self.written) > self._supersedes_at:
            raise SupersededError("another one has the lock")

    def read(self):
        return None

    def history(self):
        if self._missing:
            raise LedgerMissingError("The table is missing.")
        return History(self._entries, {API: "7", WORKER: "5"})

    def aborted(self):
        return self.aborts

    def end(self, token, state, reason, in_force=None):
        if self._missing:
            raise LedgerMissingError("The table is missing.")
        self.ended.append((state, in_force))

    def remark(self, token, remarks):
        self.remarks = remarks


class Aliases:
    """Both aliases."""

    def __init__(self, **of):
        self.splits = {name: Split(version, {}) for name, version in (STABLE | of).items()}
        self.pruned, self.fails = {}, None

    def read(self, name):
        return self.splits[name]

    def settle(self, name, version):
        self.splits[name] = Split(version, {})

    def put_back(self, versions):
        for name, version in versions.items():
            self.settle(name, version)
        return []

    def shift(self, name, stable, canary, percent):
        self.splits[name] = Split(stable, {canary: percent / 100})

    def named(self, name, version):
        return {"FunctionName": name, "FunctionVersion": version}

    def prune(self, name, keep, best_effort, given_up):
        if self.fails:
            raise self.fails
        self.pruned[name] = (sorted(best_effort), sorted(given_up))


class Smoke:
    """Versions of which some are ill; the tries to ask them."""

    def __init__(self, *ill):
        self.ill, self.asked = list(ill), []

    def faults(self, targets, patience):
        patience.check()
        self.asked += [(target.name, target.version) for target in targets]
        return [fault for fault in self.ill if (fault.function, fault.version) in self.asked[-len(targets) :]]


def ill(version, question="GET /health/ready", kind="answer"):
    return Fault(API, version, question, kind, "answers 503: no database")


def using(**of):
    parts = {"aliases": Aliases(), "ledger": Item(), "smoke": Smoke(), "invoke": None, "counting": None}
    return SimpleNamespace(**{**parts, **of})


def document(**of):
    return {"token": 1, "id": "r7", "stable": STABLE, "began": BEGAN, "step": 0, "answer": {}, "order": PROPERTIES} | of


@pytest.fixture(autouse=True)
def at_first(monkeypatch):
    """The release has begun just now; `later(seconds)` turns the clock."""

    def later(seconds):
        for module in (states, returning, shifting, afterwards, watching):
            monkeypatch.setattr(module, "now_s", lambda: BEGAN + seconds)

    later(0)
    return later


def call(**of):
    return states.Call(120, using(**of))


def test_a_machine_that_was_superseded_takes_its_weight_back():
    parts = using(ledger=Item(supersedes_at=1))
    with pytest.raises(SupersededError):
        shifting.shift(document(), ORDER, parts)
    assert parts.aliases.splits == {API: Split("6", {}), WORKER: Split("4", {})}


def test_what_its_successor_wrote_meanwhile_stays():
    parts = using(ledger=Item(supersedes_at=1))
    shift = parts.aliases.shift
    parts.aliases.shift = lambda *of: (shift(*of), parts.aliases.splits.update({WORKER: Split("4", {"9": 0.5})}))
    with pytest.raises(SupersededError):
        states.promote(document(), ORDER, states.Call(120, using(ledger=Item(supersedes_at=1), aliases=parts.aliases)))
    parts.aliases.splits[API] = Split("6", {})
    with pytest.raises(SupersededError):
        shifting.shift(document(), ORDER, parts)
    assert parts.aliases.splits == {API: Split("6", {}), WORKER: Split("4", {"9": 0.5})}


@pytest.mark.parametrize("state", ["shift", "promote"])
def test_who_moves_an_alias_meanwhile_has_the_last_word(state):
    parts = using(aliases=Aliases(**{API: "3"}))
    found = (
        shifting.shift(document(), ORDER, parts)
        if state == "shift"
        else states.promote(document(), ORDER, states.Call(120, parts))
    )
    assert found["outcome"] == "roll_back"
    assert "Somebody put shop-api at version 3 meanwhile" in found["reason"]
    assert returning.roll_back(document(**found), ORDER, parts)["in_force"] == {API: "3", WORKER: "4"}
    assert parts.aliases.splits == {API: Split("3", {}), WORKER: Split("4", {})}


def test_a_rollback_by_hand_meanwhile_is_where_it_goes_back_to():
    entries = [Entry("hand", {API: "2", WORKER: "2"}, STABLE, "by-hand", BEGAN + 9)]
    parts = using(ledger=Item(entries=entries))
    assert returning.roll_back(document(reason="Aborted by hand."), ORDER, parts)["outcome"] == "FAILED"
    assert {split.version for split in parts.aliases.splits.values()} == {"2"}


def test_a_table_that_is_lost_keeps_no_weight_and_no_answer_back(monkeypatch):
    told = []
    monkeypatch.setattr(cloudformation, "answer", lambda *of: told.append(of))
    parts = using(ledger=Item(missing=True))
    parts.aliases.shift(API, "6", "7", 10)
    found = returning.roll_back(document(reason="Because."), ORDER, parts)
    assert parts.aliases.splits[API] == Split("6", {})
    returning.answer(document(**found), ORDER, parts)
    assert told == [({}, "FAILED", "Because.")]


def test_a_lock_that_failed_leaves_the_machine_an_outcome(monkeypatch):
    """Found by tests/model: the machine chooses by it after the answer, and died where there was none."""
    monkeypatch.setattr(cloudformation, "answer", lambda *of: None)
    of = {"id": "r7", "answer": {}, "order": PROPERTIES, "error": {"Error": "Lost", "Cause": "{}"}}
    assert returning.answer(of, ORDER, using())["outcome"] == "FAILED"


def test_a_ringing_alarm_lets_no_release_begin_unless_it_is_meant():
    alarms = {"ringing": ["ServerErrors"]}
    refused = states.before(document(alarms=alarms), ORDER, call())
    assert (refused["outcome"], refused["untouched"]) == ("roll_back", True)
    assert "The alarm ServerErrors rings already" in refused["reason"]
    assert "tidegate release --into-incident REASON" in refused["reason"]
    meant = ORDER._replace(into_incident="version 6 loses orders")
    assert states.before(document(alarms=alarms), meant, call())["rang"] == ["ServerErrors"]
    assert states.before(document(alarms={"Error": "States.Timeout"}), ORDER, call())["outcome"] == "begin"


@pytest.mark.parametrize("state", [states.ready, states.promote])
def test_what_the_version_in_force_cannot_do_is_not_held_against_the_next(state):
    smoke = Smoke(ill("6"), ill("7"))
    began = states.before(document(), ORDER, call(smoke=smoke))
    found = state(document(**began), ORDER, call(smoke=smoke))
    assert found["outcome"] in {"ready", "SUCCESS"}
    smoke.ill = [ill("7")]  # the version in force has recovered: the next one is worse
    assert state(document(**began), ORDER, call(smoke=smoke))["outcome"] == "roll_back"


def test_a_promotion_says_into_which_incident_and_what_was_excused():
    order = ORDER._replace(into_incident="version 6 loses orders")
    smoke = Smoke(ill("6"), ill("7"))
    found = states.promote(document(ill=[list(ill("6"))]), order, call(smoke=smoke))
    assert found["reason"].startswith(
        "Promoted: shop-api version 7, shop-worker version 5. Into an incident: version 6"
    )
    assert "Not held against it, for version 6 does no better: shop-api version 7, GET /health/ready" in found["reason"]


@pytest.mark.parametrize("action", ["before", "ready", "promote"])
def test_an_abort_is_heard_while_questions_are_asked(monkeypatch, action):
    monkeypatch.setattr(states, "parts", lambda _: using(ledger=Item(aborted=True)))
    found = states.run(action, document())
    assert (found["outcome"], found["reason"]) == ("roll_back", "Aborted by hand.")


@pytest.mark.parametrize("action", sorted(states._FORWARD))
def test_when_its_time_is_over_a_release_goes_back(monkeypatch, at_first, action):
    monkeypatch.setattr(states, "parts", lambda _: using())
    at_first(ORDER.machine_s - ORDER.back_s)
    found = states.run(action, document(expanded_s=1800))
    assert found["outcome"] == "roll_back"
    assert "The time of a release is over" in found["reason"]
    assert "The migrations took 1800 s of it" in found["reason"]


def test_the_way_back_begins_however_late_it_is(monkeypatch, at_first):
    monkeypatch.setattr(states, "parts", lambda _: using())
    at_first(ORDER.machine_s - 60)
    assert states.run("roll_back", document(reason="Because."))["outcome"] == "FAILED"
    undone = states.run("undo", document(reason="Because."))
    assert undone["undoing"] == "done"
    assert "The schema stays expanded, for there is no more time" in undone["reason"]


def test_after_the_answer_errors_are_noted_and_change_nothing(at_first):
    parts = using(aliases=Aliases(**RELEASED))
    parts.aliases.fails = ConnectionError("throttled")
    order = ORDER._replace(migrate="shop-migrate")  # which nobody can invoke
    contracted = afterwards.contract(document(), order, parts)
    assert contracted["contracting"] == "done"
    afterwards.prune(document(**contracted), order, parts)
    first, second = parts.ledger.remarks
    assert first.startswith("A contract migration failed. TypeError")
    assert second == "Old versions couldn't be deleted. ConnectionError: throttled"
    at_first(ORDER.machine_s - 100)
    assert "go on at the next release" in afterwards.contract(document(), order, parts)["remarks"][0]


@pytest.mark.parametrize("back", [{API: "6"}, {WORKER: "4"}, STABLE])
def test_no_old_form_goes_once_somebody_has_gone_back_to_what_needs_it(back):
    asked, order = [], ORDER._replace(migrate="shop-migrate")
    parts = using(aliases=Aliases(**RELEASED | back), invoke=lambda **call: asked.append(call))
    contracted = afterwards.contract(document(), order, parts)
    assert (contracted["contracting"], asked) == ("done", [])
    name, version = next(iter(back.items()))
    assert f"{name} version {version}, which may need it" in contracted["remarks"][0]


def test_versions_that_served_are_spared_and_those_given_up_are_not():
    entries = [
        Entry("r1", {API: "1", WORKER: "1"}, {}, "promoted", 1),
        Entry("r2", {API: "2", WORKER: "1"}, {}, "promoted", 1),
        Entry("r5", {API: "5", WORKER: "4"}, {}, "rolled-back", 1),
        Entry("r7", {API: "7", WORKER: "5"}, STABLE, "promoted", 1),
    ]
    parts = using(ledger=Item(entries=entries))
    afterwards.prune(document(former={API: "6", WORKER: "4"}), ORDER, parts)
    assert parts.aliases.pruned == {API: (["2", "6", "7"], ["5"]), WORKER: (["1", "4", "5"], [])}


def seen(failing):
    counts = Counts(100, failing, 0, Histogram.of([2_000] * (100 - failing)))
    return {"buckets": [], "since": 0, "seen": []}, VersionCounts(counts)


class Counting:
    """What both versions of the API have counted so far."""

    def __init__(self, stable, canary):
        self.of = {"6": stable, "7": canary}

    def by_minute(self, function, version, start_s):
        return {16_670: self.of[version]} if function == API else {}


@pytest.mark.parametrize("was_ill", [False, True])
def test_a_mend_that_is_not_whole_is_judged_beside_the_ill_version(was_ill):
    _, stable = seen(90)
    _, canary = seen(40)  # more than any version may fail, and less than half of what fails now
    item = Item()
    looks = {"buckets": [], "since": BEGAN, "seen": []}
    item.read = lambda: SimpleNamespace(attributes={"looks": looks, "verdicts": []})
    parts = using(ledger=item, counting=Counting(stable, canary))
    sick = [list(ill("6"))] if was_ill else []
    found = watching.judge(document(looked=BEGAN, percent=10, step_began=BEGAN, ill=sick), ORDER, parts)
    assert found["outcome"] == "watch"


@pytest.mark.parametrize(
    ("rang", "ringing", "outcome", "left"),
    [
        (["A"], ["A"], "watch", ["A"]),
        (["A"], ["A", "B"], "roll_back", ["A"]),
        (["A"], [], "watch", []),
        ([], ["A"], "roll_back", []),  # it rang before, was silent, and rings again
    ],
)
def test_only_alarms_that_begin_to_ring_speak_against_it(rang, ringing, outcome, left):
    item = Item()
    looks = {"buckets": [], "since": BEGAN, "seen": []}
    item.read = lambda: SimpleNamespace(attributes={"looks": looks, "verdicts": []})
    parts = using(ledger=item, counting=SimpleNamespace(by_minute=lambda *_: {}))
    of = document(looked=BEGAN, percent=10, step_began=BEGAN, rang=rang, alarms={"ringing": ringing})
    found = watching.judge(of, ORDER, parts)
    assert (found["outcome"], found["rang"]) == (outcome, left)


def test_patience_ends_and_says_who_ended_it():
    assert patience.Patience.of(0).left_s == 0
    with pytest.raises(patience.StoppedError, match="enough"):
        patience.Patience.of(9, lambda: "enough").check()

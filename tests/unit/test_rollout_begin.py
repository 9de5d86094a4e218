"""The beginning of a release: ordered by CloudFormation, or by whoever deploys where there is nobody to answer."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from functions.rollout import begin, cloudformation, handler, states
from functions.rollout.ledger import Known
from functions.rollout.order import Order

PROPERTIES = {
    "Machine": "arn:machine",
    "Namespace": "test",
    "Alias": "live",
    "Targets": [{"Name": "shop-api", "Version": "7", "Serves": "http"}],
    "Way": json.dumps({"steps": [[10, 2, 4, "advance"]], "look_s": 1, "warm": 2, "keep": 5, "hold_s": 60}),
}
WAITING = {"ResponseURL": "http://127.0.0.1:9/answer", "StackId": "stack", "LogicalResourceId": "Release"}


class Controller:
    """What the beginning works with: the alias's version, the ledger's promotions, and who was told what."""

    def __init__(self, monkeypatch, in_force, promotions=()):
        self.started, self.settled, self.answered = [], [], []
        known = Known(1, running=False, attributes={"promotions": list(promotions)}) if promotions else None
        aliases = SimpleNamespace(in_force=lambda _: dict(in_force), settle=lambda *of: self.settled.append(of))
        ledger = SimpleNamespace(read=lambda: known)
        monkeypatch.setattr(begin, "parts", lambda _: SimpleNamespace(aliases=aliases, ledger=ledger))
        start = lambda **told: self.started.append(json.loads(told["input"]))  # noqa: E731 - one call of a client
        monkeypatch.setattr(begin, "client", lambda _: SimpleNamespace(start_execution=start))
        monkeypatch.setattr(cloudformation, "answer", lambda to, *said: self.answered.append((to, *said)))


def asked(kind="Update", properties=PROPERTIES, **more):
    event = {"RequestType": kind, "RequestId": "id-1", "ResourceProperties": properties, **more}
    return handler.handler(event, None)["said"]


def test_a_machine_is_started_and_told_who_waits(monkeypatch):
    controller = Controller(monkeypatch, {"shop-api": "6"}, [{"shop-api": "6"}])
    assert asked(**WAITING) is None
    (told,) = controller.started
    assert told["order"] == PROPERTIES
    assert told["answer"]["ResponseURL"] == WAITING["ResponseURL"]
    assert told["first"] is False


def test_where_nobody_waits_nobody_is_answered(monkeypatch):
    controller = Controller(monkeypatch, {"shop-api": "6"}, [{"shop-api": "6"}])
    assert asked() is None
    assert "ResponseURL" not in controller.started[0]["answer"]
    monkeypatch.undo()
    cloudformation.answer(controller.started[0]["answer"], "SUCCESS", "nobody hears it")


def test_an_error_is_answered_or_else_raised(monkeypatch):
    controller = Controller(monkeypatch, {})
    assert "didn't begin: KeyError" in asked(properties={"Machine": "m"}, **WAITING)
    assert controller.answered[0][1] == "FAILED"
    with pytest.raises(KeyError):
        asked(properties={"Machine": "m"})


def test_the_former_versions_are_in_force_at_once_for_whoever_orders_them(monkeypatch):
    controller = Controller(monkeypatch, {"shop-api": "8"}, [{"shop-api": "7"}])
    assert asked() == "Back to shop-api version 7, at once."
    assert controller.settled == [("shop-api", "7")]
    assert not controller.started


@pytest.mark.parametrize(
    ("kind", "in_force", "promotions", "first"),
    [
        ("Create", {"shop-api": "7"}, [], True),  # the aliases were made before the first release
        ("Create", {"shop-api": "7"}, [{"shop-api": "7"}], None),
        ("Create", {"shop-api": "6"}, [], False),  # another deployer's version is in force: it gets its canary
        ("Update", {"shop-api": "7"}, [], None),
    ],
)
def test_a_first_release_is_one_though_its_aliases_are_there(monkeypatch, kind, in_force, promotions, first):
    controller = Controller(monkeypatch, in_force, promotions)
    asked(kind)
    assert [told["first"] for told in controller.started] == ([] if first is None else [first])


def test_a_first_release_has_nothing_to_go_back_to():
    aliases = SimpleNamespace(in_force=lambda _: pytest.fail("they are no matter"))
    ledger = SimpleNamespace(lock=lambda *_: 3, fence=lambda _: {})
    using = SimpleNamespace(aliases=aliases, ledger=ledger)
    locked = states.lock({"id": "id-1", "first": True}, Order.of(PROPERTIES), using)
    assert (locked["stable"], locked["back"]) == ({}, [])


@pytest.mark.parametrize(("given_up", "harmed"), [("8", True), ("9", False)])
def test_only_the_release_that_is_given_up_is_ended(monkeypatch, given_up, harmed):
    controller = Controller(monkeypatch, {"shop-api": "7"})
    ended = []
    running = Known(1, running=True, attributes={"targets": [{"name": "shop-api", "version": "8", "serves": "http"}]})
    ledger = SimpleNamespace(read=lambda: running, end=lambda *of: ended.append(of))
    aliases = begin.parts(None).aliases
    monkeypatch.setattr(begin, "parts", lambda _: SimpleNamespace(aliases=aliases, ledger=ledger))
    targets = [{"Name": "shop-api", "Version": given_up, "Serves": "http"}]
    said = asked(OldResourceProperties={**PROPERTIES, "Targets": targets})
    assert bool(ended) is bool(controller.settled) is harmed
    assert said == ("Nothing to release." if harmed else "Another release is under way: it goes on.")

"""Machines that end without an answer: what they had begun is taken back, and CloudFormation hears of it."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from functions.rollout import cloudformation, ending, handler
from functions.rollout.history import Entry, History, UnderWay

TARGETS = [{"Name": "shop-api", "Version": "7", "Serves": "http"}]
ORDER = {
    "Machine": "arn:machine",
    "Namespace": "test",
    "Alias": "live",
    "Targets": TARGETS,
    "Way": json.dumps({"steps": [[10, 2, 4, "advance"]], "look_s": 1, "warm": 2, "keep": 5, "hold_s": 60}),
}
TO = {"ResponseURL": "http://127.0.0.1:9/answer", "StackId": "stack"}


class Ledger:
    """The ledger and the aliases of a release whose machine is dead."""

    def __init__(self, monkeypatch, entries=(), running=None, missing=False):
        self.history = History(entries, {}, running)
        self.token, self.settled, self.over, self.answered = 4, {}, [], []
        self._missing, self.fails, self.in_force = missing, None, None
        monkeypatch.setattr(ending, "parts", lambda _: SimpleNamespace(aliases=self, ledger=self))
        monkeypatch.setattr(cloudformation, "answer", lambda to, *said: self.answered.append((to, *said)))

    def read(self):
        if self._missing:
            raise RuntimeError("the table is gone")
        return self

    def put_back(self, versions):
        self.settled.update(versions)
        if self.fails:
            raise self.fails
        return []

    def end(self, token, state, reason, in_force):
        self.over.append((token, state))
        self.in_force = in_force


def died(status="ABORTED"):
    document = {"answer": TO, "order": ORDER, "id": "id-1", "former": {}, "first": False}
    detail = {"status": status, "stateMachineArn": "arn:machine", "name": "id-1", "input": json.dumps(document)}
    return handler.handler({"detail-type": ending.KIND, "source": "aws.states", "detail": detail}, None)


@pytest.mark.parametrize("status", ["FAILED", "TIMED_OUT", "ABORTED"])
def test_a_dead_machine_s_release_is_taken_back_and_answered(monkeypatch, status):
    ledger = Ledger(monkeypatch, running=UnderWay("id-1", {"shop-api": "7"}, {"shop-api": "6"}))
    died(status)
    assert ledger.settled == {"shop-api": "6"}
    assert ledger.over == [(4, "rolled-back")]
    ((to, state, reason),) = ledger.answered
    assert (to, state) == (TO, "FAILED")
    assert status in reason


def test_what_a_person_put_in_force_meanwhile_is_where_it_goes_back_to(monkeypatch):
    hand = Entry("hand", {"shop-api": "3"}, {}, "by-hand", 1)
    ledger = Ledger(monkeypatch, [hand], running=UnderWay("id-1", {"shop-api": "7"}, {"shop-api": "6"}))
    died()
    assert ledger.settled == ledger.in_force == {"shop-api": "3"}


def test_an_alias_that_can_not_be_put_back_keeps_no_lock(monkeypatch):
    ledger = Ledger(monkeypatch, running=UnderWay("id-1", {"shop-api": "7"}, {"shop-api": "6"}))
    ledger.fails = ConnectionError("throttled")
    died()
    assert ledger.over == [(4, "rolled-back")]
    assert ledger.answered[0][1] == "FAILED"


def test_one_that_had_promoted_stays_promoted(monkeypatch):
    ledger = Ledger(monkeypatch, [Entry("id-1", {"shop-api": "7"}, {}, "promoted", 1, "Promoted.")])
    died()
    assert ledger.answered == [(TO, "SUCCESS", "Promoted.")]
    assert not ledger.settled


def test_one_whose_lock_was_denied_is_answered_too(monkeypatch):
    ledger = Ledger(monkeypatch)
    died("FAILED")
    assert ledger.answered[0][1] == "FAILED"


def test_another_release_that_runs_meanwhile_is_left_alone(monkeypatch):
    ledger = Ledger(monkeypatch, running=UnderWay("id-2", {"shop-api": "8"}, {"shop-api": "6"}))
    died()
    assert (ledger.settled, ledger.over) == ({}, [])
    assert ledger.answered[0][1] == "FAILED"


def test_a_ledger_that_is_gone_keeps_nobody_waiting(monkeypatch):
    ledger = Ledger(monkeypatch, missing=True)
    died()
    assert ledger.answered[0][1] == "FAILED"
    assert "isn't known how far it came" in ledger.answered[0][2]

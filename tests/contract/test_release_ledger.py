"""The release item on the engine: its lock, its fence, and what the command line reads of it."""

from __future__ import annotations

import uuid

import boto3
import pytest

from functions.rollout import ledger as ledger_module
from functions.rollout.ledger import LEASE_S, Ledger, SupersededError
from tidegate_local.release_item import Releases

CREDENTIALS = {"region_name": "us-east-1", "aws_access_key_id": "test", "aws_secret_access_key": "test"}
ABOUT = {
    "targets": [{"name": "shop-api", "version": "7", "serves": "http"}],
    "stable": {"shop-api": "6"},
    "steps": [1, 50],
    "phase": "locked",
}


@pytest.fixture
def namespace():
    return uuid.uuid4().hex


@pytest.fixture
def ledger(dynamo, library_table, namespace):
    resource = boto3.resource("dynamodb", endpoint_url=dynamo.endpoint_url, **CREDENTIALS)
    return Ledger(resource.Table(library_table), namespace)


@pytest.fixture
def releases(dynamo, library_table, namespace):
    return Releases(boto3.client("dynamodb", endpoint_url=dynamo.endpoint_url, **CREDENTIALS), library_table, namespace)


def test_one_release_at_a_time(ledger):
    first = ledger.lock("first", ABOUT)
    assert ledger.lock("second", ABOUT) is None
    ledger.end(first, "promoted", "Promoted.")
    assert ledger.lock("second", ABOUT) > first


def test_the_same_release_may_ask_again(ledger):
    first = ledger.lock("first", ABOUT)
    again = ledger.lock("first", ABOUT)
    assert again > first  # the answer with the first token was lost: whoever had it may not write
    with pytest.raises(SupersededError):
        ledger.write(first, phase="shifting")


def test_a_dead_machine_loses_the_lock_and_may_not_write_any_more(ledger, monkeypatch):
    dead = ledger.lock("dead", ABOUT)
    later = ledger_module.now_s() + LEASE_S + 1
    monkeypatch.setattr(ledger_module, "now_s", lambda: later)
    next_one = ledger.lock("next", ABOUT)
    assert next_one > dead
    with pytest.raises(SupersededError):
        ledger.write(dead, phase="shifting")
    ledger.end(dead, "rolled-back", "too late")
    assert ledger.read().running


def test_every_write_renews_the_lease(ledger, monkeypatch):
    token, now = ledger.lock("slow", ABOUT), ledger_module.now_s()
    for passed in (LEASE_S - 1, 2 * LEASE_S - 2):
        monkeypatch.setattr(ledger_module, "now_s", lambda at=now + passed: at)
        ledger.write(token, phase="watching")
    assert ledger.lock("impatient", ABOUT) is None


def test_what_the_judge_saw_comes_back(ledger):
    token = ledger.lock("first", ABOUT)
    seen = {"since": 1, "seen": {"shop-api": {"6": [[1, 0, 0, {"9": 1}], [0, 0, 0, {}]]}}, "buckets": []}
    ledger.write(token, looks=seen, verdicts=[{"outcome": "pass"}])
    attributes = ledger.read().attributes
    assert attributes["looks"] == seen
    assert attributes["verdicts"] == [{"outcome": "pass"}]


def test_the_command_line_reads_it_and_says_what_is_wished(ledger, releases):
    assert releases.latest() is None
    assert not releases.demand("abort")
    token = ledger.lock("first", ABOUT)
    live = {"stable": {"requests": 90, "failed": 0, "p95_us": 2000}, "canary": {"requests": 1, "failed": 1}}
    ledger.write(token, phase="watching", percent="0.5", step=1, live=live)
    assert releases.demand("abort")
    assert ledger.read().attributes["abort"]
    shown = releases.latest()
    assert (shown.token, shown.state, shown.percent, shown.step) == (token, "running", 0.5, 1)
    assert (shown.stable, shown.canary) == ({"shop-api": "6"}, {"shop-api": "7"})
    assert (shown.served["stable"].p95_ms, shown.served["canary"].failed) == (2, 1)
    ledger.end(token, "rolled-back", "Aborted by hand.")
    assert not releases.latest().ended_well
    assert not releases.demand("abort")


def test_a_new_release_starts_without_the_former_s_wishes(ledger, releases):
    token = ledger.lock("first", ABOUT)
    releases.demand("abort")
    assert ledger.read().attributes["abort"]
    ledger.end(token, "rolled-back", "Aborted by hand.")
    ledger.lock("second", ABOUT)
    assert not ledger.read().attributes["abort"]


def test_reports_are_filed(ledger, releases):
    token = ledger.lock("first", ABOUT)
    assert releases.report(token) == {}
    ledger.file(token, '{"format": 1}', "<html></html>")
    assert ledger.report(token) == releases.report(token) == {"json": '{"format": 1}', "html": "<html></html>"}


def test_promotions_are_remembered_in_their_order(ledger):
    token = ledger.lock("first", ABOUT)
    for version in ("1", "2", "1"):
        ledger.write(token, promotions=ledger.promoted({"shop-api": version}))
    assert ledger.read().attributes["promotions"] == [{"shop-api": "2"}, {"shop-api": "1"}]

"""The release item on the engine: its lock, its fence, and what the command line reads of it."""

from __future__ import annotations

import json
import uuid

import boto3
import pytest

from functions.rollout import ledger as ledger_module
from functions.rollout.history import Entry, UnderWay
from functions.rollout.ledger import LEASE_S, Ledger, LedgerDamagedError, LedgerMissingError, SupersededError
from functions.rollout.report import Release, as_json
from tidegate_local.releases import report
from tidegate_local.releases.item import Releases
from tidegate_local.releases.place import Place

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
    assert releases.report(token) is None
    ledger.file(token, '{"format": 1}')
    assert releases.report(token) == '{"format": 1}'


def test_a_report_is_left_as_the_filed_json_and_a_page_of_it(ledger, releases, namespace, tmp_path):
    place = Place({"TidegateTable": releases.table}, namespace, lambda _: releases._client)
    token = ledger.lock("first", ABOUT)
    assert report.save(place, releases.latest(), tmp_path) == []
    filed = as_json(Release("shop", "6", "7", (), ()))
    ledger.file(token, filed)
    data, page = report.save(place, releases.latest(), tmp_path)
    assert data.read_text() == filed
    assert "Canary 7 beside stable 6." in page.read_text()


def test_promotions_are_remembered_in_their_order(ledger, releases):
    for version in ("1", "2", "1"):
        release(ledger, version, "promoted")
    assert ledger.history().promotions() == [{"shop-api": "2"}, {"shop-api": "1"}]
    assert releases.latest().promotions == ({"shop-api": "2"}, {"shop-api": "1"})
    assert ledger.history().in_force == {"shop-api": "1"}


def release(ledger, version, ends, stable="6"):
    targets = [{"name": "shop-api", "version": version, "serves": "http"}]
    token = ledger.lock(f"r{version}", ABOUT | {"targets": targets, "stable": {"shop-api": stable}})
    in_force = {"shop-api": version} if ends == "promoted" else None
    ledger.end(token, ends, "Because.", in_force)
    return token


def test_how_each_release_ended_is_remembered(ledger):
    release(ledger, "7", "promoted")
    release(ledger, "8", "rolled-back", stable="7")
    refused = Entry("r9", {"shop-api": "9"}, {"shop-api": "7"}, "refused", 5, "Another one.")
    ledger.enter(refused)
    history = ledger.history()
    assert [(entry.release, entry.ended) for entry in history.entries] == [
        ("r7", "promoted"),
        ("r8", "rolled-back"),
        ("r9", "refused"),
    ]
    assert history.entries[-1] == refused
    assert history.in_force == {"shop-api": "7"}
    assert history.served("shop-api", "7")
    assert history.served("shop-api", "6"), "it was in force before"
    assert not history.served("shop-api", "8")
    assert history.given_up({"shop-api": "8"})


def test_a_machine_that_died_is_remembered_as_given_up(ledger, monkeypatch):
    ledger.lock("dead", ABOUT)
    later = ledger_module.now_s() + LEASE_S + 1
    monkeypatch.setattr(ledger_module, "now_s", lambda: later)
    release(ledger, "8", "promoted")
    dead, _ = ledger.history().entries
    assert (dead.release, dead.ended, dead.versions) == ("dead", "rolled-back", {"shop-api": "7"})


def test_the_release_under_way_is_part_of_the_history(ledger):
    token = ledger.lock("first", ABOUT)
    assert ledger.history().running == UnderWay("first", {"shop-api": "7"}, {"shop-api": "6"})
    assert ledger.history().in_force == {"shop-api": "6"}
    ledger.end(token, "rolled-back", "Because.")
    assert ledger.history().running is None


def test_a_rollback_by_hand_is_known_to_the_controller(ledger, releases):
    assert releases.enter(Entry("hand", {"shop-api": "3"}, {}, "by-hand", 9).dumps(), {"shop-api": "3"})
    assert releases.latest() is None, "there never was a release"
    assert ledger.history().put_by_hand(8) == {"shop-api": "3"}
    assert ledger.history().in_force == {"shop-api": "3"}
    # A release can begin all the same, and what was written by hand stays.
    assert ledger.lock("first", ABOUT) == 1
    assert releases.enter(Entry("again", {"shop-api": "2"}, {}, "by-hand", 10).dumps(), {"shop-api": "2"})
    assert [entry.release for entry in ledger.history().entries] == ["hand", "again"]


def test_a_superseded_release_ends_nothing(ledger):
    first = ledger.lock("first", ABOUT)
    again = ledger.lock("first", ABOUT)
    ledger.end(first, "promoted", "too late", {"shop-api": "7"})
    assert ledger.history().in_force == {"shop-api": "6"}
    ledger.end(again, "rolled-back", "Because.")
    assert [entry.ended for entry in ledger.history().entries] == ["rolled-back"]


def test_what_went_wrong_after_the_answer_is_noted(ledger):
    token = release(ledger, "7", "promoted")
    ledger.remark(token, ["Old versions couldn't be deleted."])
    assert ledger.read().attributes["afterwards"] == ["Old versions couldn't be deleted."]
    release(ledger, "8", "promoted", stable="7")
    ledger.remark(token, ["too late"])
    assert ledger.read().attributes["afterwards"] == []


def test_the_history_is_trimmed_when_a_release_begins(ledger):
    release(ledger, "7", "promoted")
    for number in range(30):
        ledger.enter(Entry(f"r{number}", {"shop-api": "9"}, {}, "refused", number))
    release(ledger, "8", "promoted", stable="7")
    entries = ledger.history().entries
    assert len(entries) == 22
    assert [entry.release for entry in entries if entry.ended == "promoted"] == ["r7", "r8"]


def test_a_new_stack_begins_a_history_of_its_own(ledger):
    release(ledger, "2", "promoted")
    ledger.lock("new", ABOUT | {"stable": {}, "history": [], "promotions": []})
    history = ledger.history()
    assert (history.entries, history.in_force) == ([], {})
    assert not history.served("shop-api", "2")


def test_a_table_that_is_missing_is_named(dynamo):
    resource = boto3.resource("dynamodb", endpoint_url=dynamo.endpoint_url, **CREDENTIALS)
    with pytest.raises(LedgerMissingError, match="The table gone, which the ledger of releases is in, is missing"):
        Ledger(resource.Table("gone"), "local").read()
    client = boto3.client("dynamodb", endpoint_url=dynamo.endpoint_url, **CREDENTIALS)
    assert not Releases(client, "gone", "local").enter("{}", {})


@pytest.mark.parametrize(
    "garbage",
    [
        {"history": ["oops"]},
        {"history": [json.dumps({"release": 1})]},
        {"history": [json.dumps(["r", "versions", {}, "promoted", 1])]},
        {"in_force": "7"},
        {"in_force": "oops"},
        {"looks": b"oops"},
        {"targets": "oops", "doing": "running"},
        {"targets": "[7]", "doing": "running"},
        {"token": "oops"},
    ],
)
def test_an_item_that_is_none_of_a_release_s_is_named(ledger, dynamo, library_table, namespace, garbage):
    resource = boto3.resource("dynamodb", endpoint_url=dynamo.endpoint_url, **CREDENTIALS)
    resource.Table(library_table).put_item(Item={"pk": f"release#{namespace}", **garbage})
    with pytest.raises(LedgerDamagedError, match=rf"The item release#{namespace} of the table .* can't be read \("):
        ledger.history()

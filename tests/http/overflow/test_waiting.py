"""A request beyond its limit is accepted, waits, runs once, and its owner gets the answer: on both faces."""

import contextlib
import json

import pytest

from tests.harness.waiting import all_made
from tests.http.faces import Function, Server
from tests.http.overflow.exports import KEY, export, order, read
from tidegate import ProblemError

SECRETS = {
    "authorization": "Bearer s3cret-token",
    "cookie": "session=s3cret-cookie",
    "proxy-authorization": "Basic s3cret",
    "x-access-token": "s3cret",
    "x-goog-iap-jwt-assertion": "s3cret",
    "x-pin": "s3cret",
    "x-anything-at-all": "s3cret",
}


@pytest.mark.parametrize("face", [Server, Function], indirect=True)
def test_what_is_beyond_the_limit_is_accepted_runs_and_is_read(exports, api, behind, work, queues, log):
    accepted = export(api, 1)

    assert accepted.status_code == 202
    assert log.last["outcome"] == "queued"
    assert int(accepted.headers["retry-after"]) >= 1
    location = accepted.headers["location"]
    assert location.startswith("/v1/requests/")
    request_id = location.rpartition("/")[2]
    assert accepted.json() == {"id": request_id, "state": "queued", "position": 1, "location": location}
    waits = read(api, accepted)
    assert (waits.status_code, waits.json()) == (202, {"state": "queued", "position": 1})
    assert waits.headers["tidegate-request-state"] == "queued"
    assert int(waits.headers["retry-after"]) >= 1
    assert exports.numbers == [0]

    assert work(behind).poll() == 1
    assert behind.runs == [(exports.runs[0][0], 1)]
    answer = read(api, accepted)
    assert (answer.status_code, answer.json()) == (201, {"n": 1, "by": exports.runs[0][0]})
    assert answer.headers["tidegate-request-state"] == "done"
    assert answer.headers["x-made-by"] == "the handler"
    assert "idempotent-replayed" not in answer.headers
    assert queues.messages() == 0


@pytest.mark.parametrize("face", [Server, Function], indirect=True)
def test_one_callers_run_in_order_and_each_gets_its_own_answer(api, behind, work):
    accepted = [export(api, n) for n in (1, 2, 3)]
    assert [a.json()["position"] for a in accepted] == [1, 2, 3]
    assert read(api, accepted[2]).json()["position"] == 3

    work(behind).poll()
    assert behind.numbers == [1, 2, 3]
    assert [read(api, a).json()["n"] for a in accepted] == [1, 2, 3]


@pytest.mark.parametrize("face", [Server, Function], indirect=True)
def test_without_a_key_the_same_payload_waits_once(api, behind, work):
    first, second = export(api, 1), export(api, 1)
    assert second.headers["location"] == first.headers["location"]
    work(behind).poll()
    assert behind.numbers == [1]
    later = export(api, 1)
    assert later.headers["location"] != first.headers["location"], "when it has run, it is a new request"


@pytest.mark.parametrize("face", [Server, Function], indirect=True)
def test_a_key_names_its_request_for_good(api, behind, work):
    first = order(api, 1)
    again = order(api, 1)
    assert (first.status_code, again.status_code) == (202, 202)
    assert again.headers["location"] == first.headers["location"]
    other = order(api, 2)
    assert (other.status_code, other.json()["type"]) == (422, "urn:tidegate:problem:idempotency-key-reused")

    work(behind).poll()
    assert behind.numbers == [1]
    answer, replay = read(api, first), order(api, 1)
    assert answer.status_code == replay.status_code == 201
    assert replay.headers["idempotent-replayed"] == "true"
    assert replay.content == answer.content
    assert behind.numbers == [1]


def test_a_route_that_needs_no_key_takes_one(api, behind, work):
    first = export(api, 1, **KEY)
    assert export(api, 1, **KEY).headers["location"] == first.headers["location"]
    assert export(api, 2, **KEY).status_code == 422
    work(behind).poll()
    assert export(api, 1, **KEY).headers["idempotent-replayed"] == "true"
    assert export(api, 1, **{"idempotency-key": "ö"}).status_code == 400


def test_an_admitted_retry_runs_at_once_and_the_queue_gives_its_answer(api, behind, work, face, closing):
    queued = order(api, 1)
    direct = closing.enter_context(contextlib.closing(face(behind.app)))
    answer = order(direct, 1)
    assert answer.status_code == 201

    work(behind).poll()
    assert behind.numbers == [1]
    assert read(api, queued).content == answer.content


def test_to_accept_is_three_calls_more_and_to_read_two(api, stores):
    export(api, 1)
    all_made()
    stores.to_redis.reset_counts()
    stores.to_dynamo.reset_counts()
    accepted = export(api, 2)
    assert stores.to_redis.round_trips == 1
    assert stores.to_dynamo.commands == ["UpdateItem", "PutItem", "SendMessage"]
    stores.to_dynamo.reset_counts()
    read(api, accepted)
    assert stores.to_dynamo.commands == ["GetItem", "GetItem"]


def test_only_its_owner_finds_it(api):
    accepted = export(api, 1)
    for answer in (read(api, accepted, "bob"), api.request("DELETE", accepted.headers["location"], key="bob")):
        assert (answer.status_code, answer.json()["type"]) == (404, "urn:tidegate:problem:request-not-found")
    assert api.get("/v1/requests/nothing", key="alice").status_code == 404
    assert read(api, accepted).status_code == 202


@pytest.mark.parametrize("face", [Server, Function], indirect=True)
def test_a_run_has_what_was_sent_but_no_credentials(api, behind, work, stores):
    sent = {**SECRETS, "x-note": "a note", "tidegate-timeout-ms": "60000"}
    query = "?format=csv&access_token=s3cret-query&apikey=s3cret-key"
    accepted = api.post(f"/exports{query}", key="alice", json={"n": 1}, headers=sent)
    assert accepted.status_code == 202
    kept = json.dumps(stores.dynamo.items(stores.table), default=str)
    assert "s3cret" not in kept
    work(behind).poll()
    [asked] = behind.asked
    assert (asked["path"], asked["query"], asked["headers"]["x-note"]) == ("/exports", "format=csv", "a note")
    kept = {"accept", "content-length", "content-type", "host", "user-agent", "x-note"}
    assert not asked["headers"].keys() - kept - {"x-forwarded-proto", "x-forwarded-port", "x-amzn-trace-id"}


@pytest.mark.parametrize("face", [Server, Function], indirect=True)
def test_an_answer_is_kept_and_read_without_its_cookies_and_never_cached(api, behind, work, stores):
    accepted = export(api, 1)
    assert read(api, accepted).headers["cache-control"] == "no-store"
    work(behind).poll()
    answer = read(api, accepted)
    assert (answer.status_code, answer.headers["x-made-by"]) == (201, "the handler")
    assert "set-cookie" not in answer.headers
    assert answer.headers["cache-control"] == "no-store"
    assert "s3cret-made" not in json.dumps(stores.dynamo.items(stores.table), default=str)
    assert read(api, accepted, "bob").headers["cache-control"] == "no-store"


def test_errors_are_answers_too(api, behind, work, queues):
    behind.fails_with = ProblemError(409, "taken", "Taken")
    accepted = [export(api, "no number"), export(api, 9)]
    work(behind).poll()
    answers = [read(api, a) for a in accepted]
    assert [(a.status_code, a.json()["type"].rpartition(":")[2]) for a in answers] == [
        (422, "invalid-request"),
        (409, "taken"),
    ]
    assert queues.messages() == 0

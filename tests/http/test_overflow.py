"""A request beyond its limit waits in the queue, runs once, and its owner gets the answer: on both faces."""

import contextlib
import json
from dataclasses import replace

import pytest

from tests.harness.queues import EventSource, Queues, client
from tests.http.deadlines import all_made, eventually
from tests.http.exports import Exports
from tests.http.faces import Function, Server
from tidegate import ProblemError, StoreUnavailableError, TokenBucket

AMPLE = TokenBucket(
    "1000/s", burst=1000, name="later", shared=True
)  # another limit than the one that refused: time has passed
KEY = {"idempotency-key": '"8e03978e-40d5-43e8-bc93-6894a57f9324"'}
SECRETS = {"authorization": "Bearer s3cret-token", "cookie": "session=s3cret-cookie"}


@pytest.fixture
def queues(stores):
    return Queues.create(stores.dynamo.endpoint_url, visibility_s=5)


@pytest.fixture
def face(request):
    """The function's, unless the test is made on both."""
    return getattr(request, "param", Function)


both_faces = pytest.mark.parametrize("face", [Server, Function], indirect=True)


@pytest.fixture
def settings(stores, queues, face):
    urls = {"queue_url": queues.requests, "dead_letter_url": queues.dead_letters}
    return stores.settings(queue_bound=3, queue_expiry_ms=600_000, on_lambda=face is Function, **urls)


@pytest.fixture
def make(settings, closing):
    """`make(limit, **settings)`: the application, whose limit is used up by one request unless it says otherwise."""

    def made(limit=None, **changes):
        exports = Exports(replace(settings, **changes), limit)
        closing.callback(exports.gate.close)
        return exports

    return made


@pytest.fixture
def exports(make):
    return make()


@pytest.fixture
def api(exports, face, closing):
    """Alice has had what her limit admits."""
    made = closing.enter_context(contextlib.closing(face(exports.app)))
    assert made.post("/exports", key="alice", json={"n": 0}).status_code == 201
    return made


@pytest.fixture
def lost(make, face, closing, queues):
    """The application where its queue can't be found."""
    nowhere = make(queue_url=queues.requests.replace("requests-", "nowhere-"))
    return closing.enter_context(contextlib.closing(face(nowhere.app)))


@pytest.fixture
def behind(make):
    """The application as the worker has it, when the limits admit again."""
    return make(AMPLE)


@pytest.fixture
def work(queues, closing):
    """`work(exports)`: an event source with that application's worker."""

    def made(exports, **how):
        worker = exports.gate.worker(exports.app)
        closing.callback(worker.close)
        return closing.enter_context(contextlib.closing(EventSource(queues, worker, **how)))

    return made


def export(api, n, key="alice", **headers):
    return api.post("/exports", key=key, json={"n": n}, headers=headers)


def order(api, n, **headers):
    return api.post("/orders", key="alice", json={"n": n}, headers={**KEY, **headers})


def read(api, accepted, key="alice"):
    return api.get(accepted.headers["location"], key=key)


@both_faces
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


@both_faces
def test_one_callers_run_in_order_and_each_gets_its_own_answer(api, behind, work):
    accepted = [export(api, n) for n in (1, 2, 3)]
    assert [a.json()["position"] for a in accepted] == [1, 2, 3]
    assert read(api, accepted[2]).json()["position"] == 3

    work(behind).poll()
    assert behind.numbers == [1, 2, 3]
    assert [read(api, a).json()["n"] for a in accepted] == [1, 2, 3]


def test_a_full_queue_is_429_and_nobody_elses(exports, api, behind, work):
    for n in (1, 2, 3):
        assert export(api, n).status_code == 202
    full = export(api, 4)
    assert full.status_code == 429
    assert full.headers["content-type"] == "application/problem+json"
    assert "full" in full.json()["detail"]
    assert int(full.headers["retry-after"]) >= 1
    assert export(api, 3).status_code == 202, "what waits there already is no more"
    export(api, 0, "bob")
    assert export(api, 5, "bob").status_code == 202

    work(behind).poll()
    eventually(lambda: export(api, 4).status_code == 202)


@both_faces
def test_without_a_key_the_same_payload_waits_once(api, behind, work):
    first, second = export(api, 1), export(api, 1)
    assert second.headers["location"] == first.headers["location"]
    work(behind).poll()
    assert behind.numbers == [1]
    later = export(api, 1)
    assert later.headers["location"] != first.headers["location"], "when it has run, it is a new request"


@both_faces
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


def test_a_retry_that_the_limit_admits_runs_at_once_and_the_queue_gives_its_answer(api, behind, work, face, closing):
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


@both_faces
def test_what_is_cancelled_is_not_run(api, behind, work, queues):
    accepted, other = export(api, 1), export(api, 2)
    for _ in range(2):
        assert api.request("DELETE", accepted.headers["location"], key="alice").status_code == 204
    gone = read(api, accepted)
    assert (gone.status_code, gone.json()["type"]) == (410, "urn:tidegate:problem:request-cancelled")
    assert read(api, other).json()["position"] == 1
    work(behind).poll()
    assert behind.numbers == [2]
    assert queues.messages() == 0
    late = api.request("DELETE", other.headers["location"], key="alice")
    assert (late.status_code, late.headers["tidegate-request-state"]) == (409, "done")


def test_a_cancelled_key_may_be_accepted_anew(api, behind, work):
    first = order(api, 1)
    api.request("DELETE", first.headers["location"], key="alice")
    again = order(api, 1)
    assert again.headers["location"] == first.headers["location"]
    assert read(api, again).json()["state"] == "queued"
    work(behind).poll()
    work(behind).poll()
    assert behind.numbers == [1]


def test_what_has_expired_is_not_run_and_says_so(make, face, closing, work, queues):
    hasty = make(queue_expiry_ms=1000, queue_bound=1)
    api = closing.enter_context(contextlib.closing(face(hasty.app)))
    api.post("/soon", key="alice", json={"n": 0})
    accepted = api.post("/soon", key="alice", json={"n": 1})
    assert accepted.status_code == 202
    eventually(lambda: read(api, accepted).status_code == 410, within_s=30, every_s=0.05)
    assert read(api, accepted).json()["type"] == "urn:tidegate:problem:request-expired"
    work(hasty).poll()
    assert hasty.numbers == [0]
    assert queues.messages() == 0
    assert read(api, accepted).status_code == 410


def test_what_would_expire_before_it_could_pass_is_refused_at_once(make, face, closing, queues):
    hasty = make(queue_expiry_ms=1000)
    api = closing.enter_context(contextlib.closing(face(hasty.app)))
    export(api, 0)
    assert export(api, 1).status_code == 429
    assert queues.messages() == 0


def test_a_request_that_could_never_pass_or_is_too_large_is_refused(api, queues):
    never = api.post("/dear", key="alice", json={"n": 1})
    assert (never.status_code, "retry-after" in never.headers) == (429, False)
    large = json.dumps({"n": 1, **dict.fromkeys(map(str, range(40_000)), 1)})
    assert api.post("/exports", key="alice", content=large).status_code == 429
    assert queues.messages() == 0


@both_faces
def test_what_cannot_be_sent_is_withdrawn_and_nothing_was_accepted(api, lost, stores):
    refused = export(lost, 1)
    assert (refused.status_code, refused.headers["content-type"]) == (503, "application/problem+json")
    assert int(refused.headers["retry-after"]) >= 1
    states = {i["state"]["S"] for i in stores.dynamo.items(stores.table) if i["pk"]["S"].startswith("request#")}
    assert states == {"cancelled"}
    [waiting] = [i["waiting"]["M"] for i in stores.dynamo.items(stores.table) if i["pk"]["S"].startswith("queue#")]
    assert waiting == {}


def test_what_was_withdrawn_may_come_again(api, lost, behind, work):
    assert order(lost, 1).status_code == 503
    assert order(api, 1).status_code == 202
    work(behind).poll()
    assert behind.numbers == [1]


@both_faces
def test_a_run_has_what_was_sent_but_no_credentials(api, behind, work, stores):
    sent = {**SECRETS, "x-note": "a note", "tidegate-timeout-ms": "60000"}
    accepted = api.post("/exports?format=csv", key="alice", json={"n": 1}, headers=sent)
    assert accepted.status_code == 202
    kept = json.dumps(stores.dynamo.items(stores.table), default=str)
    assert "s3cret" not in kept
    work(behind).poll()
    [asked] = behind.asked
    assert (asked["path"], asked["query"], asked["headers"]["x-note"]) == ("/exports", "format=csv", "a note")
    assert not {"authorization", "cookie", "x-api-key", "tidegate-timeout-ms"} & asked["headers"].keys()


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


def test_a_worker_beyond_the_limit_waits_in_the_queue_with_all_that_is_behind(api, exports, work, queues):
    accepted = [export(api, n) for n in (1, 2)]
    work(exports).poll()
    assert exports.numbers == [0]
    assert [read(api, a).json()["state"] for a in accepted] == ["queued", "queued"]
    assert queues.messages() == 2
    assert work(exports).poll() == 0, "they are away until the limit admits"
    assert queues.messages(queues.dead_letters) == 0


def test_a_worker_waits_for_a_moment_itself(make, face, closing, work):
    brisk = make(TokenBucket("20/s", burst=1))
    api = closing.enter_context(contextlib.closing(face(brisk.app)))
    answers = [export(api, n) for n in range(20)]
    accepted = [a for a in answers if a.status_code == 202]
    assert accepted
    source = work(brisk)
    eventually(lambda: not source.poll(), within_s=30)
    assert sorted(brisk.numbers) == sorted({n for n, a in enumerate(answers) if a.status_code in {201, 202}})
    assert {read(api, a).status_code for a in accepted} == {201}


def test_an_answer_that_says_to_come_again_is_come_again_for_a_while(api, behind, work, queues):
    behind.fails_with = ProblemError(503, "busy", "Busy", headers={"Retry-After": "0"})
    accepted = export(api, 1)
    work(behind).poll()
    assert behind.numbers == [1] * 5
    answer = read(api, accepted)
    assert (answer.status_code, answer.json()["type"]) == (503, "urn:tidegate:problem:busy")
    assert queues.messages() == 0


def test_a_message_that_comes_twice_runs_once(api, behind, work, queues):
    accepted = export(api, 1)
    source = work(behind)
    with contextlib.closing(client(queues.endpoint_url)) as sqs:
        [message] = sqs.receive_message(
            QueueUrl=queues.requests, AttributeNames=["MessageGroupId"], VisibilityTimeout=600
        )["Messages"]
    assert [source.deliver([message], delete=False) for _ in range(3)] == [{"batchItemFailures": []}] * 3
    assert behind.numbers == [1]
    assert read(api, accepted).status_code == 201


@pytest.mark.parametrize("ask", [export, order])
def test_a_worker_that_dies_before_it_has_said_the_end_has_run_all_the_same(api, behind, work, ask):
    accepted = ask(api, 1)
    queue = behind.gate._lifecycle.environment.queue()
    end, queue.end = queue.end, _dies
    source = work(behind)
    source.poll()
    assert read(api, accepted).json() == {"state": "running"}

    queue.end = end
    eventually(source.poll, within_s=30)
    assert behind.numbers == [1]
    assert read(api, accepted).json()["n"] == 1


def _dies(*_):
    raise StoreUnavailableError("dynamodb", "reset")


def test_without_dynamodb_nothing_is_accepted_and_nothing_lost(api, behind, work, stores, queues):
    accepted = export(api, 1)
    stores.to_dynamo.refuse()
    assert export(api, 2).status_code == 503
    assert read(api, accepted).status_code == 503
    work(behind).poll()
    assert behind.numbers == []
    stores.to_dynamo.pass_through()
    eventually(work(behind).poll, within_s=30)
    assert behind.numbers == [1]
    assert read(api, accepted).status_code == 201


def test_a_message_that_is_none_stops_only_its_own_group(api, behind, work, queues):
    accepted = export(api, 1)
    with contextlib.closing(client(queues.endpoint_url)) as sqs:
        sqs.send_message(
            QueueUrl=queues.requests, MessageBody="{}", MessageGroupId="stranger", MessageDeduplicationId="1"
        )
    work(behind).poll()
    assert read(api, accepted).status_code == 201
    assert queues.messages() == 1

"""A queued request that isn't what was accepted: it is buried, and says so; nothing is run twice, or for ever."""

import contextlib
import json
import zlib
from types import SimpleNamespace

import pytest

import tidegate.overflow.worker
from tests.harness.queues import client
from tests.harness.waiting import eventually
from tests.http.faces import Function
from tests.http.overflow.exports import AMPLE, Exports, export
from tidegate.overflow.run import queued_run as run_of

pytestmark = pytest.mark.slow

NOT_KEPT = (409, "urn:tidegate:problem:response-not-kept")
FAILED = (500, "urn:tidegate:problem:request-failed")


@pytest.fixture
def tamper(stores, dynamo_client):
    """`tamper(attribute, change)`: changes it in the one request that is kept."""

    def changed(attribute, change):
        [item] = [i for i in stores.dynamo.items(stores.table) if i["pk"]["S"].startswith("request#")]
        [(kind, value)] = item[attribute].items()
        item[attribute] = {kind: change(bytes(value) if kind == "B" else value)}
        dynamo_client.put_item(TableName=stores.table, Item=item)

    return changed


def ask(api):
    accepted = export(api, 1)
    assert accepted.status_code == 202
    return accepted


def answer_and_type(api, accepted):
    answer = api.get(accepted.headers["location"], key="alice")
    return answer, (answer.status_code, answer.json().get("type"))


def with_head(**changes):
    def changed(stored):
        head, _, body = stored.partition(b"\n")
        return json.dumps(json.loads(head) | changes).encode() + b"\n" + body

    return changed


REQUESTS = {
    "nothing": lambda _: b"\x00",
    "another version": with_head(v=2),
    "deep": lambda _: b"[" * 200_000 + b"\n",
    "deep within": lambda _: b'{"v":1,"caller":' + b"[" * 100_000 + b"\n{}",
    "another's": with_head(caller=["key:bob", None, None, None]),
    "nobody's": with_head(caller=None),
    "no method": with_head(method=7),
    "a method of lines": with_head(method="GET / HTTP/1.1\r\n\r\n"),
    "a path that is none": with_head(path=["/exports"]),
    "a query that is none": with_head(query_string="\u2603"),
    "a field of lines": with_head(headers=[["x-note", "a\r\nx-admin: 1"]]),
    "fields that are none": with_head(headers=[["x-note"]]),
    "numbers": with_head(headers=[[1, 2]]),
    "a key that is none": with_head(key={}),
    "a version of truth": with_head(v=True),
    "half a character in the path": with_head(path="/\ud800"),
    "half a character before it": with_head(root_path="\udfff"),
    "half a character in the key": with_head(key="\ud800"),
    "half a character in the organisation": lambda stored: with_head(
        caller=[json.loads(stored.partition(b"\n")[0])["caller"][0], "\ud800", None, None]
    )(stored),
    "a caller of more parts": with_head(caller=["key:alice", None, None, None, None]),
}


@pytest.mark.parametrize("change", REQUESTS.values(), ids=REQUESTS)
def test_a_request_that_can_t_be_run_is_buried_and_says_so(api, behind, work, queues, tamper, change):
    accepted = ask(api)
    tamper("request", change)
    work(behind).poll()
    assert behind.numbers == []
    assert queues.messages() == 0
    assert queues.messages(queues.dead_letters) == 1
    answer, told = answer_and_type(api, accepted)
    assert told == FAILED
    assert "isn't run" in answer.json()["detail"]
    assert answer.headers["tidegate-request-state"] == "failed"
    assert export(api, 2).json()["position"] == 1, "it holds no place"


def test_another_releases_request_fails_by_name_and_the_queue_goes_on(api, behind, work, tamper):
    accepted = ask(api)
    tamper("request", with_head(v=2))
    later = export(api, 2)
    work(behind).poll()
    assert behind.numbers == [2]
    answer, told = answer_and_type(api, accepted)
    assert told == FAILED
    assert "version 2" in answer.json()["detail"]
    assert answer_and_type(api, later)[0].status_code == 201


def test_a_request_of_the_release_before_runs(api, behind, work, tamper):
    """What came with this release is left out: the field `expressed` of a request, the reason of an item."""

    def before(stored):
        head, _, body = stored.partition(b"\n")
        kept = {name: value for name, value in json.loads(head).items() if name != "expressed"}
        return json.dumps(kept).encode() + b"\n" + body

    accepted = ask(api)
    tamper("request", before)
    work(behind).poll()
    assert answer_and_type(api, accepted)[0].status_code == 201


def test_what_fails_before_it_is_begun_is_counted_and_buried(api, new_exports, work, queues):
    accepted, behind = ask(api), new_exports(AMPLE, queue_expiry_ms=60_000)
    later = export(api, 2)

    async def breaks_at_the_first(scope, receive, send):
        if run_of(scope).key == f" {accepted.json()['id'].partition('.')[0]}":
            raise RuntimeError("in front of the guard")
        await behind.app(scope, receive, send)

    source = work(SimpleNamespace(app=breaks_at_the_first, gate=behind.gate))

    def has_gone_on():
        source.poll()
        return answer_and_type(api, later)[0].status_code == 201

    eventually(has_gone_on, within_s=60, every_s=0.2)
    assert answer_and_type(api, accepted)[1] == FAILED
    assert behind.numbers == [2]
    assert queues.messages(queues.dead_letters) == 1


def test_dead_letters_that_can_t_be_sent_stop_nobody(behind, stores, queues, closing, work, tamper):
    settings = stores.settings(
        on_lambda=True, queue_url=queues.requests, dead_letter_url=queues.dead_letters.replace("requests-", "nowhere-")
    )
    both = [Exports(settings), Exports(settings, AMPLE)]
    for each in both:
        closing.callback(each.gate.close)
    api = closing.enter_context(contextlib.closing(Function(both[0].app)))
    export(api, 0)
    accepted = ask(api)
    tamper("request", lambda _: b"\x00")
    later = export(api, 2)
    with contextlib.closing(client(queues.endpoint_url)) as sqs:
        sqs.send_message(
            QueueUrl=queues.requests, MessageBody="junk", MessageGroupId="stranger", MessageDeduplicationId="1"
        )
    work(both[1]).poll()
    assert (queues.messages(), both[1].numbers) == (0, [2])
    assert answer_and_type(api, accepted)[1] == FAILED
    assert answer_and_type(api, later)[0].status_code == 201


def test_an_item_that_can_t_be_read_is_buried_and_says_so(api, behind, work, queues, tamper):
    accepted = ask(api)
    tamper("state", lambda _: "flying")
    assert answer_and_type(api, accepted)[1] == FAILED
    work(behind).poll()
    assert (behind.numbers, queues.messages(), queues.messages(queues.dead_letters)) == ([], 0, 1)
    answer, told = answer_and_type(api, accepted)
    assert told == FAILED
    assert answer.headers["tidegate-request-state"] == "failed"
    cancelled = api.request("DELETE", accepted.headers["location"], key="alice")
    assert (cancelled.status_code, cancelled.headers["tidegate-request-state"]) == (409, "failed")


@pytest.mark.parametrize("attribute", ["principal", "secret", "credentials"])
def test_a_request_that_became_another_s_is_nobody_s(api, tamper, attribute):
    accepted = ask(api)
    tamper(attribute, lambda _: "key:bob")
    assert answer_and_type(api, accepted)[1] == (404, "urn:tidegate:problem:request-not-found")


RECORDS = {
    "nothing": lambda _: b"\x00",
    "a part": lambda record: record[:20],
    "deep": lambda _: b"[" * 200_000 + b"\n",
    "a status of text": with_head(status="201"),
    "a status of none": with_head(status=99),
    "a status beyond": with_head(status=1000),
    "fields of numbers": with_head(headers=[[1, 2]]),
    "a field of lines": with_head(headers=[["x-note", "a\r\nset-cookie: a=b"]]),
    "a field's name of lines": with_head(headers=[["x\r\ny", "a"]]),
    "no field's name": with_head(headers=[["", "a"]]),
    "a broken body": lambda record: with_head(deflated=True)(record.partition(b"\n")[0] + b"\nno zlib"),
    "half a body": lambda record: with_head(deflated=True)(
        record.partition(b"\n")[0] + b"\n" + zlib.compress(b"body" * 100)[:-8]
    ),
}


@pytest.mark.parametrize("change", RECORDS.values(), ids=RECORDS)
def test_an_answer_that_can_t_be_read_says_so(api, behind, work, tamper, change):
    accepted = ask(api)
    work(behind).poll()
    assert answer_and_type(api, accepted)[0].status_code == 201
    tamper("record", change)
    answer, told = answer_and_type(api, accepted)
    assert told == NOT_KEPT
    assert answer.headers["tidegate-request-state"] == "done"


def test_an_answer_that_is_too_large_says_that_it_has_run(api, behind, work, monkeypatch):
    monkeypatch.setattr(tidegate.overflow.worker, "LARGEST_ANSWER_BYTES", 50)
    accepted = ask(api)
    work(behind).poll()
    assert behind.numbers == [1]
    assert answer_and_type(api, accepted)[1] == NOT_KEPT


@pytest.mark.parametrize("queue", ["a b", "x" * 200, "\u2603"])
def test_a_queue_of_no_name_keeps_nothing_from_being_buried(api, behind, work, queues, tamper, queue):
    ask(api)
    tamper("queue", lambda _: queue)
    tamper("request", lambda _: b"\x00")
    work(behind).poll()
    assert (queues.messages(), queues.messages(queues.dead_letters)) == (0, 1)


def test_a_cookie_that_an_earlier_release_has_kept_is_not_told(api, behind, work, tamper):
    accepted = ask(api)
    work(behind).poll()
    tamper("record", with_head(headers=[["Set-Cookie", "session=s3cret"], ["x-note", "a"]]))
    answer, _ = answer_and_type(api, accepted)
    assert (answer.status_code, answer.headers["x-note"], "set-cookie" in answer.headers) == (201, "a", False)

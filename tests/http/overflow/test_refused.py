"""What the queue doesn't take, or gives up: too many, too large, too late, cancelled, or not to be sent."""

import contextlib
import json

import pytest

from tests.harness.waiting import eventually
from tests.http.faces import Function, Server
from tests.http.overflow.exports import export, order, read


@pytest.fixture
def lost(new_exports, face, closing, queues):
    """The application where its queue can't be found."""
    nowhere = new_exports(queue_url=queues.requests.replace("requests-", "nowhere-"))
    return closing.enter_context(contextlib.closing(face(nowhere.app)))


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


@pytest.mark.parametrize("face", [Server, Function], indirect=True)
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


def test_what_has_expired_is_not_run_and_says_so(new_exports, face, closing, work, queues):
    hasty = new_exports(queue_expiry_ms=1000, queue_bound=1)
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


def test_what_would_expire_before_it_could_pass_is_refused_at_once(new_exports, face, closing, queues):
    hasty = new_exports(queue_expiry_ms=1000)
    api = closing.enter_context(contextlib.closing(face(hasty.app)))
    export(api, 0)
    assert export(api, 1).status_code == 429
    assert queues.messages() == 0


def test_a_request_that_could_never_pass_or_is_too_large_is_refused(api, queues):
    never = api.post("/dear", key="alice", json={"n": 1})
    assert (never.status_code, "retry-after" in never.headers) == (422, False)
    large = json.dumps({"n": 1, **dict.fromkeys(map(str, range(40_000)), 1)})
    assert api.post("/exports", key="alice", content=large).status_code == 429
    assert queues.messages() == 0


@pytest.mark.parametrize("face", [Server, Function], indirect=True)
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

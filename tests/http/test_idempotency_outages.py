"""One effect per key, whichever store is lost and when."""

import os
import time

import pytest
from fastapi import FastAPI, HTTPException

from tests.harness.hanging_names import HangingNames
from tests.harness.waiting import eventually
from tests.http.payments import AMPLE, Payments
from tidegate import policy
from tidegate.idempotency import renewal
from tidegate.web.stored_response import StoredResponse

pytestmark = pytest.mark.slow

DYNAMODB = "dynamodb.test"
KEY = {"idempotency-key": "8e03978e-40d5-43e8-bc93-6894a57f9324"}


@pytest.fixture
def api(run, stores, payments):
    return run(payments.app, stores.settings())


def pay(api, headers=KEY):
    return api.post("/payments", key="alice", headers=headers, json={"amount": 5})


def is_replay_of(first, again):
    assert again.headers["idempotent-replayed"] == "true"
    assert (again.status_code, again.content) == (first.status_code, first.content)
    return True


def test_redis_killed_after_the_first_request(api, stores, payments, log):
    first = pay(api)
    stores.redis.kill()
    assert is_replay_of(first, pay(api))
    assert (log.last["store"], log.last["outcome"]) == ("dynamodb", "replayed")
    assert payments.runs["pay"] == 1


def test_redis_restarted_empty_after_the_first_request(api, stores, payments, log):
    first = pay(api)
    stores.redis.restart_empty()
    assert is_replay_of(first, pay(api))
    assert payments.runs["pay"] == 1


def test_redis_killed_before_the_first_request(api, stores, payments):
    pay(api, {"idempotency-key": "warm-up"})
    stores.redis.kill()
    first = pay(api)
    assert first.status_code == 201
    assert is_replay_of(first, pay(api))
    stores.redis.start()
    eventually(lambda: is_replay_of(first, pay(api)))
    assert payments.runs["pay"] == 2, "the one to warm up and the one"


def test_redis_killed_while_the_handler_runs(run, stores):
    payments = Payments()
    api = run(payments.app, stores.settings())
    begun = api.begin("POST", "/slow", key="alice", headers=KEY)
    assert payments.began.wait(30)
    stores.redis.kill()
    payments.may_end.set()
    first = begun.result(20)
    assert first.status_code == 200
    assert is_replay_of(first, api.post("/slow", key="alice", headers=KEY))


def test_a_copy_that_redis_never_got_is_not_missed(api, stores, payments):
    pay(api, {"idempotency-key": "warm-up"})
    stores.to_redis.half_reply(0, once=True)  # the first question's answer is lost; DynamoDB decides instead
    first = pay(api)
    assert first.status_code == 201
    assert is_replay_of(first, pay(api))


def test_dynamodb_gone_nothing_runs_and_the_client_is_told_when_to_return(api, stores, payments, log):
    stores.to_dynamo.refuse()
    answer = pay(api)
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity"
    assert int(answer.headers["retry-after"]) >= 1
    assert log.last["outcome"] == "refused"
    assert not payments.runs

    stores.to_dynamo.pass_through()
    assert pay(api).status_code == 201


def test_dynamodb_gone_what_was_answered_before_is_replayed_by_redis(api, stores):
    first = pay(api)
    stores.to_dynamo.refuse()
    assert is_replay_of(first, pay(api))


@pytest.mark.in_time
def test_dynamodb_hung_the_client_is_not_kept(deploy, stores, payments):
    api = deploy(payments.app, stores.settings())
    pay(api, {"idempotency-key": "warm-up"})
    stores.to_dynamo.hang()
    assert api.begin("POST", "/payments", key="alice", headers=KEY, json={"amount": 5}).result(15).status_code == 503
    assert payments.runs["pay"] == 1


@pytest.fixture
def names(tmp_path):
    """DynamoDB has a name, whose lookup can be made to hang."""
    names = HangingNames(tmp_path)
    names.install()
    yield names
    names.remove()


def named(stores) -> None:
    os.environ["AWS_ENDPOINT_URL"] = f"http://{DYNAMODB}:{stores.to_dynamo.port}"


@pytest.mark.in_time
@pytest.mark.parametrize("connected", [True, False], ids=["connected", "not connected"])
def test_dynamodbs_name_not_found_the_client_is_told_in_three_seconds(run, stores, payments, names, connected):
    named(stores)
    api = run(payments.app, stores.settings())
    first = pay(api)
    if connected:
        stores.to_dynamo.refuse()  # what is connected is lost
        stores.to_dynamo.pass_through()
    else:
        api = run(Payments().app, stores.settings())
    names.hang(DYNAMODB)
    fresh = {"idempotency-key": "another"}
    answers = [timed(lambda: pay(api, fresh)) for _ in range(4)]
    assert {answer.status_code for answer, _ in answers} == {503}
    assert answers[0][1] < 3.5, "all of the claim's steps end together, in 2.8 s"
    assert is_replay_of(first, pay(api)), "what Redis knows needs no name"
    assert names.asked <= 12, "the others were told at once"
    names.go_on(
        DYNAMODB
    )  # a claim that was given up may be written now, and stand for as long as it would have been held
    eventually(lambda: pay(api, {"idempotency-key": "afterwards"}).status_code == 201)


@pytest.mark.in_time
def test_only_one_claim_waits_for_a_store_that_hangs(serve, stores, payments, names):
    named(stores)
    api = serve(payments.app, stores.settings())
    pay(api)
    stores.to_dynamo.refuse()
    stores.to_dynamo.pass_through()
    names.hang(DYNAMODB)
    assert pay(api, {"idempotency-key": "first"}).status_code == 503
    asked = names.asked
    for n in range(20):
        answer = pay(api, {"idempotency-key": f"at-once-{n}"})
        assert answer.status_code == 503
        assert answer.json()["type"].endswith("#temporary-reduced-capacity")
    assert names.asked <= asked + 20 / 4, "but for the probes"


@pytest.mark.in_time
def test_hung_claims_hold_up_no_settlement_and_no_cached_answer(serve, stores, log):
    """More than there are threads for claims; what needs none of them is answered meanwhile."""
    payments = Payments()
    api = serve(payments.app, stores.settings())
    pay(api, {"idempotency-key": "warm-up"})
    stores.to_dynamo.hang()
    stores.to_dynamo.reset_counts()
    waiting = [
        api.begin("POST", "/payments", key="alice", headers={"idempotency-key": f"n{n}"}, json={}) for n in range(70)
    ]
    eventually(lambda: len(stores.to_dynamo.commands) >= 60)
    assert is_replay_of(pay(api, {"idempotency-key": "warm-up"}), pay(api, {"idempotency-key": "warm-up"}))
    answered = sum(one.done() for one in waiting)
    assert {one.result(20).status_code for one in waiting} == {503}
    assert answered == 0


def timed(call):
    began = time.monotonic()
    return call(), time.monotonic() - began


def test_both_gone_nothing_runs(api, stores, payments):
    stores.redis.kill()
    stores.to_dynamo.refuse()
    assert pay(api).status_code == 503
    assert not payments.runs


@pytest.mark.in_time
def test_a_claim_whose_acknowledgement_was_lost_is_still_ours(deploy, stores, payments):
    api = deploy(payments.app, stores.settings())
    pay(api, {"idempotency-key": "warm-up"})
    stores.to_dynamo.half_reply(0, once=True)
    first = pay(api)
    assert first.status_code == 201
    assert is_replay_of(first, pay(api))


@pytest.mark.in_time
def test_an_answer_whose_acknowledgement_was_lost_is_kept_and_given(deploy, stores):
    payments = Payments()
    api = deploy(payments.app, stores.settings())
    begun = api.begin("POST", "/slow", key="alice", headers=KEY)
    assert payments.began.wait(30)
    stores.to_dynamo.half_reply(0, once=True)
    payments.may_end.set()
    first = begun.result(20)
    assert first.status_code == 200
    stores.redis.restart_empty()
    assert is_replay_of(first, api.post("/slow", key="alice", headers=KEY))


def test_the_client_learns_of_the_effect_when_dynamodb_is_lost_meanwhile(run, stores, log):
    payments = Payments()
    api = run(payments.app, stores.settings())
    begun = api.begin("POST", "/slow", key="alice", headers=KEY)
    assert payments.began.wait(30)
    stores.to_dynamo.refuse()
    payments.may_end.set()
    first = begun.result(20)
    assert (first.status_code, first.json()["number"]) == (200, 1)
    assert "answer not kept" in [line["message"] for line in log.all]
    assert is_replay_of(first, api.post("/slow", key="alice", headers=KEY)), "Redis got its copy"
    assert payments.runs["slow"] == 1


def test_an_answer_that_only_redis_knows_is_brought_home_by_the_next_retry(run, stores):
    payments = Payments()
    api = run(payments.app, stores.settings())
    begun = api.begin("POST", "/slow", key="alice", headers=KEY)
    assert payments.began.wait(30)
    stores.to_dynamo.refuse()
    payments.may_end.set()
    first = begun.result(20)
    stores.to_dynamo.pass_through()
    assert is_replay_of(first, api.post("/slow", key="alice", headers=KEY))
    stores.redis.restart_empty()
    assert is_replay_of(first, api.post("/slow", key="alice", headers=KEY))
    assert payments.runs["slow"] == 1


def test_an_answer_that_another_attempt_has_overruled_is_not_replayed(run, stores):
    """Redis kept the first one's answer; the claim was taken over before the claim store could be told."""
    payments = Payments()
    api = run(payments.app, stores.settings())
    begun = api.begin("POST", "/slow", key="alice", headers=KEY)
    assert payments.began.wait(30)
    stores.to_dynamo.refuse()
    payments.may_end.set()
    first = begun.result(20)
    stores.to_dynamo.pass_through()
    client = stores.dynamo.client()
    [claim] = [item for item in stores.dynamo.items(stores.table) if item["pk"]["S"].startswith("claim#")]
    heir = {
        "attempt_id": {"S": "heir"},
        "state": {"S": "completed"},
        "record": {"B": StoredResponse(200, (), b"heir").encode()},
    }
    client.put_item(TableName=stores.table, Item=claim | heir)
    client.close()
    assert first.json()["number"] == 1
    again = api.post("/slow", key="alice", headers=KEY)
    assert (again.content, again.headers["idempotent-replayed"]) == (b"heir", "true")


class TestClaimsInRedis:
    """`claims="redis"`: quicker, and DynamoDB, if there is one, is the fallback."""

    def test_redis_alone(self, run, stores):
        payments = Payments("redis")
        api = run(payments.app, stores.settings(table=None))
        assert is_replay_of(pay(api), pay(api))
        assert payments.runs["pay"] == 1
        assert stores.dynamo.items(stores.table) == []

    def test_redis_alone_and_gone(self, run, stores):
        payments = Payments("redis")
        api = run(payments.app, stores.settings(table=None))
        stores.redis.kill()
        answer = pay(api)
        assert answer.status_code == 503
        assert answer.headers["retry-after"].isdecimal()
        assert not payments.runs

    def test_redis_gone_and_dynamodb_there(self, run, stores):
        payments = Payments("redis")
        api = run(payments.app, stores.settings())
        stores.redis.kill()
        first = pay(api)
        assert first.status_code == 201
        assert is_replay_of(first, pay(api))

    def test_the_client_learns_of_the_effect_when_redis_restarts_meanwhile(self, run, stores):
        """Nobody has taken over: to say so would make the client try again."""
        payments = Payments("redis")
        api = run(payments.app, stores.settings(table=None))
        begun = api.begin("POST", "/slow", key="alice", headers=KEY)
        assert payments.began.wait(30)
        stores.redis.restart_empty()
        payments.may_end.set()
        first = begun.result(20)
        assert (first.status_code, first.json().get("number")) == (200, 1)
        assert is_replay_of(first, api.post("/slow", key="alice", headers=KEY))

    def test_the_client_learns_of_the_effect_when_redis_is_killed_meanwhile(self, run, stores):
        payments = Payments("redis")
        api = run(payments.app, stores.settings(table=None))
        begun = api.begin("POST", "/slow", key="alice", headers=KEY)
        assert payments.began.wait(30)
        stores.redis.kill()
        payments.may_end.set()
        assert begun.result(20).json()["number"] == 1

    @pytest.mark.parametrize("back", ["as it was", "not at all"])
    def test_redis_lost_while_the_handler_runs_dynamodb_keeps_the_answer(self, run, stores, log, back):
        """It is kept where those who ask while Redis is gone are answered, and copied to a Redis that is back."""
        payments = Payments("redis")
        api = run(payments.app, stores.settings())
        begun = api.begin("POST", "/slow", key="alice", headers=KEY)
        assert payments.began.wait(30)
        if back == "as it was":
            stores.to_redis.refuse()
        else:
            stores.redis.kill()
        payments.may_end.set()
        first = begun.result(20)
        assert first.json()["number"] == 1
        other = run(Payments("redis").app, stores.settings())
        assert is_replay_of(first, other.post("/slow", key="alice", headers=KEY))
        if back == "as it was":
            stores.to_redis.pass_through()
            eventually(lambda: other.get("/docs", key="bob") and log.last["store"] == "redis")
            with stores.redis.client() as client:  # the claim still stands there; its time is up
                [claim] = client.keys("tidegate:*:i:*")
                client.hset(claim, "deadline", 1)
            for _ in range(2):
                assert is_replay_of(first, other.post("/slow", key="alice", headers=KEY))
                assert log.last["store"] == "redis"

    def test_a_claim_known_to_redis_alone_is_taken_over_through_both_stores(self, run, stores, redis_db):
        """The handler of such an heir says come again: the next attempt is not kept waiting."""
        first = Payments("redis", "first")
        late = run(first.app, stores.settings()).begin("POST", "/slow", key="alice", headers=KEY)
        assert first.began.wait(30)
        [claim] = redis_db.keys("tidegate:*:i:*")
        redis_db.hset(claim, "deadline", 1)
        app, statuses = FastAPI(), [503, 201]

        @app.post("/slow")
        @policy(limits=AMPLE, idempotent=True, claims="redis")
        async def heir():
            raise HTTPException(statuses.pop(0))

        api = run(app, stores.settings())
        assert [api.post("/slow", key="alice", headers=KEY).status_code for _ in range(3)] == [503, 201, 201]
        first.may_end.set()
        assert late.result(30).json()["type"] == "urn:tidegate:problem:claim-superseded"

    def test_a_renewal_that_finds_redis_gone_moves_the_claim(self, serve, stores, monkeypatch):
        """Who asks from then on is told that it is in progress, though Redis holds nothing any more."""
        monkeypatch.setattr(renewal, "RENEWED_EVERY_MS", 100)
        payments = Payments("redis")
        begun = serve(payments.app, stores.settings()).begin("POST", "/slow", key="alice", headers=KEY)
        assert payments.began.wait(30)
        stores.redis.kill()
        eventually(lambda: [item for item in stores.dynamo.items(stores.table) if item["pk"]["S"].startswith("claim#")])
        second = Payments("redis")
        other = serve(second.app, stores.settings())
        assert other.post("/slow", key="alice", headers=KEY).status_code == 409
        payments.may_end.set()
        first = begun.result(20)
        assert first.json()["number"] == 1
        assert is_replay_of(first, other.post("/slow", key="alice", headers=KEY))
        assert not second.runs

    def test_who_claimed_in_dynamodb_meanwhile_is_not_overruled(self, serve, stores, monkeypatch):
        """Redis died before a renewal could move the claim: a second run began. One answer counts, for both."""
        monkeypatch.setattr(renewal, "RENEWED_EVERY_MS", 600_000)
        first, second = Payments("redis", "first"), Payments("redis", "second")
        late = serve(first.app, stores.settings()).begin("POST", "/slow", key="alice", headers=KEY)
        assert first.began.wait(30)
        stores.redis.kill()
        other = serve(second.app, stores.settings())
        begun = other.begin("POST", "/slow", key="alice", headers=KEY)
        assert second.began.wait(30), "this is what claims='redis' means"
        first.may_end.set()
        assert late.result(20).json()["type"] == "urn:tidegate:problem:claim-superseded"
        second.may_end.set()
        answer = begun.result(20)
        assert answer.json()["by"] == "second"
        assert is_replay_of(answer, other.post("/slow", key="alice", headers=KEY))

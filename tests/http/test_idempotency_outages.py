"""One effect per key, whichever store is lost and when."""

import pytest

from tests.http.deadlines import eventually
from tests.http.payments import Payments

KEY = {"idempotency-key": "8e03978e-40d5-43e8-bc93-6894a57f9324"}


@pytest.fixture
def payments():
    return Payments()


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
    assert payments.began.wait(10)
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


def test_dynamodb_hung_the_client_is_not_kept(deploy, stores, payments):
    api = deploy(payments.app, stores.settings())
    pay(api, {"idempotency-key": "warm-up"})
    stores.to_dynamo.hang()
    assert api.begin("POST", "/payments", key="alice", headers=KEY, json={"amount": 5}).result(15).status_code == 503
    assert payments.runs["pay"] == 1


def test_both_gone_nothing_runs(api, stores, payments):
    stores.redis.kill()
    stores.to_dynamo.refuse()
    assert pay(api).status_code == 503
    assert not payments.runs


def test_a_claim_whose_acknowledgement_was_lost_is_still_ours(deploy, stores, payments):
    api = deploy(payments.app, stores.settings())
    pay(api, {"idempotency-key": "warm-up"})
    stores.to_dynamo.half_reply(0, once=True)
    first = pay(api)
    assert first.status_code == 201
    assert is_replay_of(first, pay(api))


def test_an_answer_whose_acknowledgement_was_lost_is_kept_and_given(deploy, stores):
    payments = Payments()
    api = deploy(payments.app, stores.settings())
    begun = api.begin("POST", "/slow", key="alice", headers=KEY)
    assert payments.began.wait(10)
    stores.to_dynamo.half_reply(0, once=True)
    payments.may_end.set()
    first = begun.result(20)
    assert first.status_code == 200
    stores.redis.restart_empty()
    assert is_replay_of(first, api.post("/slow", key="alice", headers=KEY))


def test_dynamodb_lost_while_the_handler_runs_the_client_still_learns_of_the_effect(run, stores, log):
    payments = Payments()
    api = run(payments.app, stores.settings())
    begun = api.begin("POST", "/slow", key="alice", headers=KEY)
    assert payments.began.wait(10)
    stores.to_dynamo.refuse()
    payments.may_end.set()
    first = begun.result(20)
    assert (first.status_code, first.json()["number"]) == (200, 1)
    assert "answer not kept" in [line["message"] for line in log.all]
    assert is_replay_of(first, api.post("/slow", key="alice", headers=KEY)), "Redis got its copy"
    assert payments.runs["slow"] == 1


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

    def test_redis_restarted_while_the_handler_runs_the_client_still_learns_of_the_effect(self, run, stores):
        """Nobody has taken over: to say so would make the client try again."""
        payments = Payments("redis")
        api = run(payments.app, stores.settings(table=None))
        begun = api.begin("POST", "/slow", key="alice", headers=KEY)
        assert payments.began.wait(10)
        stores.redis.restart_empty()
        payments.may_end.set()
        first = begun.result(20)
        assert (first.status_code, first.json().get("number")) == (200, 1)
        assert is_replay_of(first, api.post("/slow", key="alice", headers=KEY))

    def test_redis_killed_while_the_handler_runs_the_client_still_learns_of_the_effect(self, run, stores):
        payments = Payments("redis")
        api = run(payments.app, stores.settings(table=None))
        begun = api.begin("POST", "/slow", key="alice", headers=KEY)
        assert payments.began.wait(10)
        stores.redis.kill()
        payments.may_end.set()
        assert begun.result(20).json()["number"] == 1

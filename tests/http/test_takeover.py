"""What a holder leaves that crashed or overran its time: taken over after the claim's deadline, once."""

import time

import pytest
from fastapi import HTTPException

from tests.harness.lambda_events import LambdaContext
from tests.http.payments import Payments
from tidegate import policy

KEY = {"idempotency-key": "8e03978e-40d5-43e8-bc93-6894a57f9324"}


class Claims:
    """The one claim in the store, whose deadline may be brought forward."""

    def __init__(self, stores):
        self._stores = stores

    def only(self):
        items = self._stores.dynamo.items(self._stores.table)
        [claim] = [item for item in items if item["pk"]["S"].startswith("claim#")]
        return claim

    def let_the_deadline_pass(self):
        client = self._stores.dynamo.client()
        client.update_item(
            TableName=self._stores.table,
            Key={"pk": self.only()["pk"]},
            UpdateExpression="SET deadline_ms = :past",
            ConditionExpression="attribute_exists(deadline_ms)",
            ExpressionAttributeValues={":past": {"N": str(time.time_ns() // 1_000_000 - 1)}},
        )
        client.close()


@pytest.fixture
def claims(stores):
    return Claims(stores)


@pytest.fixture
def zombie(run, stores):
    """An environment whose handler has begun and doesn't end, and the answer that it will give."""
    payments = Payments(name="zombie")
    answer = run(payments.app, stores.settings()).begin("POST", "/slow", key="alice", headers=KEY)
    assert payments.began.wait(30)
    yield payments, answer
    payments.may_end.set()
    answer.result(30)


@pytest.fixture
def heir(run, stores):
    payments = Payments(name="heir")
    payments.may_end.set()
    return run(payments.app, stores.settings())


def test_before_the_deadline_nobody_takes_over(zombie, heir):
    assert heir.post("/slow", key="alice", headers=KEY).json()["type"] == "urn:tidegate:problem:request-in-progress"


def test_after_the_deadline_the_heir_runs_and_its_answer_counts(zombie, heir, claims, stores):
    claims.let_the_deadline_pass()
    inherited = heir.post("/slow", key="alice", headers=KEY)
    assert inherited.json() == {"number": 1, "by": "heir"}

    payments, late = zombie
    payments.may_end.set()
    superseded = late.result(30)
    assert superseded.status_code == 409
    assert superseded.headers["content-type"] == "application/problem+json"
    assert superseded.json()["type"] == "urn:tidegate:problem:claim-superseded"
    assert superseded.headers["retry-after"].isdecimal()

    assert heir.post("/slow", key="alice", headers=KEY).content == inherited.content
    stores.redis.restart_empty()
    assert heir.post("/slow", key="alice", headers=KEY).content == inherited.content


def test_a_zombie_that_ends_before_its_heir_leaves_the_claim_to_it(zombie, run, claims, stores):
    claims.let_the_deadline_pass()
    payments = Payments(name="heir")
    answer = run(payments.app, stores.settings()).begin("POST", "/slow", key="alice", headers=KEY)
    assert payments.began.wait(30)

    overtaken, late = zombie
    overtaken.may_end.set()
    assert late.result(30).json()["type"] == "urn:tidegate:problem:claim-superseded"
    other = run(Payments().app, stores.settings())
    assert other.post("/slow", key="alice", headers=KEY).json()["type"] == "urn:tidegate:problem:request-in-progress"

    payments.may_end.set()
    assert answer.result(30).json()["by"] == "heir"
    assert other.post("/slow", key="alice", headers=KEY).json()["by"] == "heir"


def test_of_many_heirs_one_runs(zombie, serve, claims, stores):
    claims.let_the_deadline_pass()
    payments = Payments(name="heir")
    payments.may_end.set()
    heirs = serve(payments.app, stores.settings())
    asked = [heirs.begin("POST", "/slow", key="alice", headers=KEY) for _ in range(20)]
    answers = [answer.result(20) for answer in asked]
    assert payments.runs["slow"] == 1
    assert {answer.status_code for answer in answers} <= {200, 409}
    assert {answer.json()["by"] for answer in answers if answer.status_code == 200} == {"heir"}


def test_a_zombies_failure_does_not_free_its_heirs_claim(run, stores, claims):
    """A 503 isn't kept, so its claim is released; a zombie has none to release."""
    payments = Payments(name="zombie")

    @payments.app.post("/closed")
    @policy(idempotent=True)
    def closed():
        payments.ran("closed")
        payments.began.set()
        payments.may_end.wait(30)
        raise HTTPException(503)

    late = run(payments.app, stores.settings()).begin("POST", "/closed", key="alice", headers=KEY)
    assert payments.began.wait(30)
    claims.let_the_deadline_pass()

    heir = Payments(name="heir")

    @heir.app.post("/closed")
    @policy(idempotent=True)
    def open_again():
        heir.began.set()
        heir.may_end.wait(30)
        return "done"

    answer = run(heir.app, stores.settings()).begin("POST", "/closed", key="alice", headers=KEY)
    assert heir.began.wait(30)
    payments.may_end.set()
    assert late.result(30).status_code == 503
    assert claims.only()["state"]["S"] == "claimed"
    heir.may_end.set()
    assert answer.result(30).json() == "done"


def test_a_claim_stands_as_long_as_its_invocation_can_live(deploy, stores, claims):
    payments = Payments()
    context = LambdaContext(timeout_ms=20_000)
    begun = deploy(payments.app, stores.settings()).begin("POST", "/slow", key="alice", headers=KEY, context=context)
    assert payments.began.wait(30)
    stands_ms = int(claims.only()["deadline_ms"]["N"]) - time.time_ns() // 1_000_000
    assert 20_000 - 10_000 < stands_ms <= 20_000 + 10_000, "the invocation's time and a margin for skewed clocks"
    payments.may_end.set()
    assert begun.result(30).status_code == 200


def test_where_redis_holds_the_claims(serve, stores, redis_db):
    zombie, heir = Payments("redis", "zombie"), Payments("redis", "heir")
    heir.may_end.set()
    settings = stores.settings(table=None)
    late = serve(zombie.app, settings).begin("POST", "/slow", key="alice", headers=KEY)
    assert zombie.began.wait(30)
    [claim] = redis_db.keys("tidegate:*:i:*")
    redis_db.hset(claim, "deadline", 1)
    inherited = serve(heir.app, settings).post("/slow", key="alice", headers=KEY)
    assert inherited.json()["by"] == "heir"
    zombie.may_end.set()
    assert late.result(30).json()["type"] == "urn:tidegate:problem:claim-superseded"
    assert serve(Payments("redis").app, settings).post("/slow", key="alice", headers=KEY).content == inherited.content

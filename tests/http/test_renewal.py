"""A handler that runs long keeps its claim: renewed on a server, held for the invocation on Lambda."""

import asyncio
import threading

import pytest
from fastapi import FastAPI, Request

from tests.harness.lambda_events import LambdaContext
from tests.harness.waiting import eventually
from tidegate import policy
from tidegate.idempotency import renewal

WRITES = {"PutItem", "UpdateItem", "DeleteItem"}  # what else is read in the background doesn't count
KEY = {"idempotency-key": "8e03978e-40d5-43e8-bc93-6894a57f9324"}
THREADS = "tidegate-renew"


class Long:
    """Handlers that run until they are let go, and what they saw of their claim."""

    def __init__(self, claims="dynamodb"):
        self.began, self.may_end = threading.Event(), threading.Event()
        self.lost: list[bool] = []
        self.app = FastAPI()
        guarded = policy(idempotent=True, claims=claims)

        @self.app.post("/def")
        @guarded
        def blocks_a_thread(request: Request):
            self.began.set()
            self.may_end.wait(30)
            self.lost.append(request.state.tidegate.claim.lost)

        @self.app.post("/async")
        @guarded
        async def awaits(request: Request):
            self.began.set()
            await asyncio.to_thread(self.may_end.wait, 30)
            self.lost.append(request.state.tidegate.claim.lost)

        @self.app.post("/blocking")
        @guarded
        async def blocks_the_event_loop(request: Request):
            self.began.set()
            self.may_end.wait(30)
            self.lost.append(request.state.tidegate.claim.lost)

        @self.app.post("/until-lost")
        @guarded
        def ends_when_the_claim_is_lost(request: Request):
            self.began.set()
            claim = request.state.tidegate.claim
            return eventually(lambda: claim.lost, within_s=20)


@pytest.fixture
def quick(monkeypatch):
    """Renewals every 100 ms; the hold is as long as ever, so that nothing is taken over meanwhile."""
    monkeypatch.setattr(renewal, "RENEWED_EVERY_MS", 100)


@pytest.fixture
def deadline(stores):
    def of_the_only_claim() -> int:
        items = stores.dynamo.items(stores.table)
        [claim] = [item for item in items if item["pk"]["S"].startswith("claim#")]
        return int(claim["deadline_ms"]["N"])

    return of_the_only_claim


@pytest.fixture
def renewing():
    """The threads that renew now, and didn't before this test: another test's may still wait for what has ended."""
    before = set(threading.enumerate())
    return lambda: [t.name for t in set(threading.enumerate()) - before if t.name.startswith(THREADS)]


@pytest.mark.parametrize("handler", ["def", "async", "blocking"])
def test_a_claim_is_renewed_again_and_again_while_its_handler_runs(serve, stores, quick, deadline, handler):
    long = Long()
    begun = serve(long.app, stores.settings()).begin("POST", f"/{handler}", key="alice", headers=KEY)
    assert long.began.wait(30)
    for _ in range(3):
        stood = deadline()
        eventually(lambda stood=stood: deadline() > stood)
    long.may_end.set()
    assert begun.result(30).status_code == 200
    assert long.lost == [False]


def test_a_claim_that_redis_holds_is_renewed_there(serve, stores, quick, redis_db):
    long = Long("redis")
    begun = serve(long.app, stores.settings()).begin("POST", "/async", key="alice", headers=KEY)
    assert long.began.wait(30)
    [claim] = redis_db.keys("tidegate:*:i:*")
    for _ in range(3):
        stood = redis_db.hget(claim, "deadline")
        eventually(lambda stood=stood: redis_db.hget(claim, "deadline") > stood)
    long.may_end.set()
    assert begun.result(30).status_code == 200
    assert stores.dynamo.items(stores.table) == []


def test_a_claim_that_redis_lost_is_written_anew_by_its_holder(serve, stores, quick):
    long = Long("redis")
    settings = stores.settings(table=None)
    begun = serve(long.app, settings).begin("POST", "/async", key="alice", headers=KEY)
    assert long.began.wait(30)
    stores.redis.restart_empty()
    with stores.redis.client() as client:
        eventually(lambda: client.keys("tidegate:*:i:*"))
    other = serve(Long("redis").app, settings)
    assert other.post("/async", key="alice", headers=KEY).status_code == 409
    long.may_end.set()
    assert begun.result(30).status_code == 200


def test_a_holder_learns_of_its_lost_claim_and_its_answer_isnt_kept(serve, stores, quick, log):
    long = Long()
    begun = serve(long.app, stores.settings()).begin("POST", "/until-lost", key="alice", headers=KEY)
    assert long.began.wait(30)
    items = stores.dynamo.items(stores.table)
    [claim] = [item for item in items if item["pk"]["S"].startswith("claim#")]
    client = stores.dynamo.client()
    client.put_item(TableName=stores.table, Item={**claim, "attempt_id": {"S": "heir"}})
    answer = begun.result(20)
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:tidegate:problem:claim-superseded")
    assert "claim lost" in [line["message"] for line in log.all]
    now = client.get_item(TableName=stores.table, Key={"pk": claim["pk"]})["Item"]
    client.close()
    assert (now["attempt_id"], now["state"]) == ({"S": "heir"}, {"S": "claimed"})


def test_a_store_that_is_gone_for_a_while_loses_no_claim(serve, stores, quick, deadline, log):
    long = Long()
    begun = serve(long.app, stores.settings()).begin("POST", "/def", key="alice", headers=KEY)
    assert long.began.wait(30)
    stores.to_dynamo.refuse()
    eventually(lambda: "claim not renewed" in log.text)
    stores.to_dynamo.pass_through()
    stood = deadline()
    eventually(lambda: deadline() > stood)
    long.may_end.set()
    assert begun.result(30).status_code == 200
    assert long.lost == [False]


def test_nothing_renews_after_the_answer(serve, memory, quick, renewing):
    long = Long()
    api = serve(long.app, memory)
    begun = api.begin("POST", "/def", key="alice", headers=KEY)
    assert long.began.wait(30)
    assert eventually(renewing)
    long.may_end.set()
    begun.result(30)
    eventually(lambda: not renewing())


def test_a_quick_handler_is_renewed_not_once(serve, stores):
    long = Long()
    long.may_end.set()
    api = serve(long.app, stores.settings())
    stores.to_dynamo.reset_counts()
    assert api.post("/async", key="alice", headers=KEY).status_code == 200
    assert [command for command in stores.to_dynamo.commands if command in WRITES] == ["PutItem", "UpdateItem"]


def test_on_managed_instances_a_claim_is_renewed_as_on_a_server(deploy, stores, quick, deadline, monkeypatch):
    """They end no handler at its function's timeout, so a context says nothing of its end."""
    monkeypatch.setenv("AWS_LAMBDA_INITIALIZATION_TYPE", "lambda-managed-instances")
    long = Long()
    context = LambdaContext(timeout_ms=1000)
    begun = deploy(long.app, stores.settings()).begin("POST", "/def", key="alice", headers=KEY, context=context)
    assert long.began.wait(30)
    for _ in range(3):
        stood = deadline()
        eventually(lambda stood=stood: deadline() > stood)
    long.may_end.set()
    assert begun.result(30).status_code == 200
    assert long.lost == [False]


def test_on_lambda_nothing_runs_beside_the_handler(deploy, stores, quick, deadline, renewing):
    long = Long()
    context = LambdaContext(timeout_ms=20_000)
    begun = deploy(long.app, stores.settings()).begin("POST", "/def", key="alice", headers=KEY, context=context)
    assert long.began.wait(30)
    stood = deadline()
    assert not renewing()
    long.may_end.set()
    assert begun.result(30).status_code == 200
    assert deadline() == stood

"""A handler of several steps is continued after its last recovery point, by whoever takes its claim over."""

import asyncio
import threading
import time

import pytest
from fastapi import FastAPI, HTTPException, Request

from tests.http.payments import AMPLE
from tidegate import ClaimLostError, policy

WRITES = {"PutItem", "UpdateItem", "DeleteItem"}  # what else is read in the background doesn't count
KEY = {"idempotency-key": "8e03978e-40d5-43e8-bc93-6894a57f9324"}


class Checkout:
    """Charge, then ship: the effects so far, and the means to hold the handler back between the two."""

    def __init__(self, effects: list[str], claims="dynamodb", *, held: bool = False, **more):
        self.effects = effects
        self.charged, self.may_ship = threading.Event(), threading.Event()
        self.statuses: list[int] = []
        self.recovered: list[dict] = []
        if not held:
            self.may_ship.set()
        self.app = FastAPI()
        guarded = policy(limits=AMPLE, idempotent=True, claims=claims, **more)

        @self.app.post("/async")
        @guarded
        async def check_out(request: Request):
            admission = request.state.tidegate
            if (charge := self.charge_of(admission)) is None:
                charge = self.charge()
                await admission.checkpoint("charge", charge)
            await asyncio.to_thread(self.between)
            await admission.checkpoint("ship")
            return self.ship(charge)

        @self.app.post("/def")
        @guarded
        def check_out_blocking(request: Request):
            admission = request.state.tidegate
            if (charge := self.charge_of(admission)) is None:
                charge = self.charge()
                admission.checkpoint_blocking("charge", charge)
            self.between()
            admission.checkpoint_blocking("ship")
            return self.ship(charge)

    def charge_of(self, admission):
        self.recovered.append(dict(admission.recovered))
        return admission.recovered.get("charge")

    def charge(self):
        self.effects.append("charge")
        return {"id": f"ch_{len(self.effects)}"}

    def between(self):
        self.charged.set()
        self.may_ship.wait(30)
        if self.statuses:
            raise HTTPException(self.statuses.pop(0))

    def ship(self, charge):
        self.effects.append("ship")
        return {"charge": charge["id"]}


@pytest.fixture
def effects() -> list[str]:
    return []


@pytest.fixture(params=["async", "def"])
def path(request):
    return f"/{request.param}"


def let_the_deadline_pass(stores, redis_db, claims):
    if claims == "redis":
        [claim] = redis_db.keys("tidegate:*:i:*")
        redis_db.hset(claim, "deadline", 1)
        return
    items = stores.dynamo.items(stores.table)
    [claim] = [item for item in items if item["pk"]["S"].startswith("claim#")]
    client = stores.dynamo.client()
    client.update_item(
        TableName=stores.table,
        Key={"pk": claim["pk"]},
        UpdateExpression="SET deadline_ms = :past",
        ExpressionAttributeValues={":past": {"N": str(time.time_ns() // 1_000_000 - 1)}},
    )
    client.close()


@pytest.mark.parametrize("claims", ["dynamodb", "redis"])
def test_an_heir_continues_after_the_last_point(run, stores, redis_db, effects, path, claims):
    settings = stores.settings() if claims == "dynamodb" else stores.settings(table=None)
    zombie, heir = Checkout(effects, claims, held=True), Checkout(effects, claims)
    late = run(zombie.app, settings).begin("POST", path, key="alice", headers=KEY)
    assert zombie.charged.wait(30)
    let_the_deadline_pass(stores, redis_db, claims)

    api = run(heir.app, settings)
    answer = api.post(path, key="alice", headers=KEY)
    assert (answer.status_code, answer.json()) == (200, {"charge": "ch_1"})
    assert heir.recovered == [{"charge": {"id": "ch_1"}}]
    assert effects == ["charge", "ship"]

    zombie.may_ship.set()
    superseded = late.result(30)
    assert superseded.json()["type"] == "urn:tidegate:problem:claim-superseded"
    assert effects == ["charge", "ship"], "the zombie's next point told it to stop"
    assert api.post(path, key="alice", headers=KEY).content == answer.content


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("claims", ["dynamodb", "redis"])
def test_a_handler_that_says_come_again_after_a_point_is_continued(run, stores, effects, path, claims, status):
    checkout = Checkout(effects, claims)
    checkout.statuses.append(status)
    api = run(checkout.app, stores.settings())
    assert api.post(path, key="alice", headers=KEY).status_code == status
    other = api.post(path, key="alice", headers=KEY, content="another payload")
    assert other.status_code == 422, "part of what the first payload asked for is done"
    answer = api.post(path, key="alice", headers=KEY)
    assert (answer.status_code, "idempotent-replayed" in answer.headers) == (200, False)
    assert checkout.recovered == [{}, {"charge": {"id": "ch_1"}}]
    assert effects == ["charge", "ship"]
    assert api.post(path, key="alice", headers=KEY).headers["idempotent-replayed"] == "true"


def test_the_same_in_the_memory_of_one_process(run, memory, effects, path):
    checkout = Checkout(effects)
    checkout.statuses.append(503)
    api = run(checkout.app, memory)
    assert [api.post(path, key="alice", headers=KEY).status_code for _ in range(2)] == [503, 200]
    assert effects == ["charge", "ship"]


def test_a_failure_that_is_not_kept_is_continued_too(run, stores, effects, path):
    checkout = Checkout(effects, keep_5xx=False)
    checkout.statuses.append(500)
    api = run(checkout.app, stores.settings())
    assert [api.post(path, key="alice", headers=KEY).status_code for _ in range(2)] == [500, 200]
    assert effects == ["charge", "ship"]


def test_a_point_that_cannot_be_kept_is_an_error_that_the_handler_sees(run, stores, effects, path, log):
    checkout = Checkout(effects, held=True)
    api = run(checkout.app, stores.settings())
    begun = api.begin("POST", path, key="alice", headers=KEY)
    assert checkout.charged.wait(30)
    stores.to_dynamo.refuse()
    checkout.may_ship.set()
    assert begun.result(20).status_code == 500
    assert log.last["reason"] == "StoreUnavailableError"
    assert effects == ["charge"]


def test_a_point_costs_one_write(deploy, stores, effects, path):
    api = deploy(Checkout(effects).app, stores.settings())
    api.post(path, key="alice", headers={"idempotency-key": "warm-up"})
    stores.to_dynamo.reset_counts()
    assert api.post(path, key="alice", headers=KEY).status_code == 200
    writes = [command for command in stores.to_dynamo.commands if command in WRITES]
    assert writes == ["PutItem", "UpdateItem", "UpdateItem", "UpdateItem"], "claimed, two points, completed"


def test_a_handler_may_end_itself_as_superseded(run, memory):
    """What a checkpoint raises may pass through code of the application's own."""
    app = FastAPI()

    @app.post("/lost")
    @policy(idempotent=True)
    async def lost():
        raise ClaimLostError

    answer = run(app, memory).post("/lost", key="alice", headers=KEY)
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:tidegate:problem:claim-superseded")

"""What is kept of an answer is damaged: a claim's is a defined problem and never a second run; a copy's is a miss."""

from __future__ import annotations

import json
import zlib

import pytest
from fastapi import FastAPI

from tests.http.payments import AMPLE, Payments
from tidegate import Cache, policy
from tidegate.web.stored_response import StoredResponse

KEY = {"idempotency-key": "8e03978e-40d5-43e8-bc93-6894a57f9324"}
UNREADABLE = "urn:tidegate:problem:response-unreadable"


def record(**changes) -> bytes:
    head = {"v": 1, "status": 201, "headers": [], "deflated": False, "kept": True} | changes
    return json.dumps(head).encode() + b"\n" + b"body"


RECORDS = {
    "nothing": b"",
    "garbage": b"\x80\x04garbage",
    "a status of text": record(status="201"),
    "a status of 99": record(status=99),
    "a status of true": record(status=True),
    "a header's value of a number": record(headers=[["a", 1]]),
    "a header that ends its line": record(headers=[["a", "b\r\nset-cookie: c=d"]]),
    "JSON 100,000 deep": b"[" * 100_000,
    "a bomb": record(deflated=True)[:-4] + zlib.compress(bytes(100_000_000), 9),
    "another version": record(v=2),
}


def pay(api, path="/payments"):
    return api.post(path, key="alice", headers=KEY, json={"amount": 5})


def is_unreadable(answer) -> bool:
    assert answer.headers["content-type"] == "application/problem+json"
    assert "retry-after" not in answer.headers, "it won't get better by itself"
    return (answer.status_code, answer.json()["type"]) == (409, UNREADABLE)


def damage_item(stores, **attributes) -> None:
    client = stores.dynamo.client()
    [claim] = [item for item in stores.dynamo.items(stores.table) if item["pk"]["S"].startswith("claim#")]
    item = {name: value for name, value in (claim | attributes).items() if value is not None}
    client.put_item(TableName=stores.table, Item=item)
    client.close()


def damage_key(stores, damaged: bytes) -> None:
    with stores.redis.client() as client:
        [claim] = client.keys("tidegate:*:i:*")
        client.hset(claim, "record", damaged)


@pytest.mark.parametrize("damaged", RECORDS.values(), ids=RECORDS)
def test_both_records_damaged(deploy, stores, damaged, log):
    payments = Payments()
    api = deploy(payments.app, stores.settings())
    assert pay(api).status_code == 201
    damage_key(stores, damaged)
    damage_item(stores, record={"B": damaged or b"\0"})
    for _ in range(2):
        assert is_unreadable(pay(api))
    assert payments.runs["pay"] == 1
    assert "claim unreadable" in [line["message"] for line in log.all]
    assert "unhandled exception" not in [line["message"] for line in log.all]


@pytest.mark.parametrize("damaged", RECORDS.values(), ids=RECORDS)
def test_the_claim_stores_record_replaces_a_damaged_one_in_redis(deploy, stores, damaged):
    payments = Payments()
    api = deploy(payments.app, stores.settings())
    first = pay(api)
    damage_key(stores, damaged)
    again = pay(api)
    assert (again.content, again.headers["idempotent-replayed"]) == (first.content, "true")
    stores.to_dynamo.refuse()
    assert pay(api).content == first.content, "Redis has it again"
    assert payments.runs["pay"] == 1


@pytest.mark.parametrize("damaged", RECORDS.values(), ids=RECORDS)
def test_redis_alone_and_its_record_damaged(deploy, stores, damaged):
    payments = Payments("redis")
    api = deploy(payments.app, stores.settings(table=None))
    assert pay(api).status_code == 201
    damage_key(stores, damaged)
    for _ in range(2):
        assert is_unreadable(pay(api))
    assert payments.runs["pay"] == 1


@pytest.mark.parametrize("table", [True, False], ids=["with a table", "without"])
def test_a_claim_in_redis_of_another_type(deploy, stores, table):
    payments = Payments("redis")
    api = deploy(payments.app, stores.settings() if table else stores.settings(table=None))
    assert pay(api).status_code == 201
    with stores.redis.client() as client:
        [claim] = client.keys("tidegate:*:i:*")
        client.delete(claim)
        client.rpush(claim, "x")
    for _ in range(2):
        assert is_unreadable(pay(api))
    assert payments.runs["pay"] == 1


@pytest.mark.parametrize(
    "attributes",
    [
        {"state": {"N": "1"}},
        {"state": None},
        {"fingerprint": {"N": "1"}},
        {"record": {"S": "text"}},
        {"record": None},
        {"deadline_ms": {"S": "soon"}},
        {"expires_at": {"S": "never"}},
        {"attempt_id": {"B": b"x"}},
    ],
    ids=repr,
)
def test_an_items_odd_attributes(deploy, stores, attributes):
    payments = Payments()
    api = deploy(payments.app, stores.settings(redis_url=None))
    assert pay(api).status_code == 201
    damage_item(stores, **attributes)
    for _ in range(2):
        assert is_unreadable(pay(api))
    assert payments.runs["pay"] == 1


POINTS = [b"x", b"[]", b'"text"', b"{" * 100_000, b'{"a":NaN}', b'{"":1}', b"\xff", b'{"a":"' + b"x" * 40_000 + b'"}']


@pytest.mark.parametrize("points", POINTS, ids=lambda points: repr(points[:20]))
def test_recovery_points_that_cant_be_read_run_no_handler(deploy, stores, points):
    """Somebody was half-way: nobody knows where."""
    payments = Payments()
    api = deploy(payments.app, stores.settings(redis_url=None))
    assert pay(api).status_code == 201
    left = {"state": {"S": "claimed"}, "record": None, "deadline_ms": {"N": "1"}, "points": {"B": points}}
    damage_item(stores, **left)
    for _ in range(2):
        assert is_unreadable(pay(api))
    assert payments.runs["pay"] == 1


@pytest.mark.parametrize("damaged", RECORDS.values(), ids=RECORDS)
def test_a_copy_that_cant_be_read_is_a_miss_and_is_made_anew(deploy, stores, damaged):
    app, runs = FastAPI(), []

    @app.get("/things")
    @policy(limits=AMPLE, cache=Cache("60s", shared=True))
    async def things():
        runs.append(1)
        return {"n": len(runs)}

    api = deploy(app, stores.settings())
    assert api.get("/things", key="alice").json() == {"n": 1}
    with stores.redis.client() as client:
        [copy] = client.keys("tidegate:*:k:*")
        client.hset(copy, "record", damaged)
    assert [api.get("/things", key="alice").json() for _ in range(3)] == [{"n": 2}] * 3


def test_a_copy_whose_key_holds_something_else_is_made_anew(deploy, stores):
    app, runs = FastAPI(), []

    @app.get("/things")
    @policy(limits=AMPLE, cache=Cache("60s", shared=True))
    async def things():
        runs.append(1)
        return {"n": len(runs)}

    api = deploy(app, stores.settings())
    assert api.get("/things", key="alice").json() == {"n": 1}
    with stores.redis.client() as client:
        [copy] = client.keys("tidegate:*:k:*")
        client.delete(copy)
        client.rpush(copy, "x")
    assert [api.get("/things", key="alice").json() for _ in range(3)] == [{"n": 2}] * 3


def test_one_callers_damaged_limit_is_mended_and_the_others_notice_nothing(run, stores, log):
    payments = Payments()
    api = run(payments.app, stores.settings())
    assert pay(api).status_code == 201
    with stores.redis.client() as client:
        for key in client.keys("tidegate:*"):
            if b":i:" not in key and b"fleet" not in key:
                client.delete(key)
                client.rpush(key, "x")
    for caller in ("alice", "bob", "alice"):
        assert (
            api.post("/payments", key=caller, headers={"idempotency-key": caller}, json={"amount": 5}).status_code
            == 201
        )
        assert log.last["store"] == "redis"


def test_what_is_kept_is_read(deploy, stores):
    """What the records above are damaged from."""
    payments = Payments()
    api = deploy(payments.app, stores.settings())
    pay(api)
    damage_key(stores, StoredResponse(201, ((b"a", b"b"),), b"kept").encode())
    assert pay(api).content == b"kept"

"""Which requests an idempotent route takes, and what a key belongs to."""

import pytest
from fastapi import FastAPI

from tests.http.payments import Payments
from tidegate import TokenBucket, policy, protect

UUID = "8e03978e-40d5-43e8-bc93-6894a57f9324"


@pytest.fixture
def api(run, stores, payments):
    return run(payments.app, stores.settings())


def pay(api, idempotency_key=UUID, path="/payments", *, method="POST", amount=5, key="alice"):
    return api.request(method, path, key=key, headers={"idempotency-key": idempotency_key}, json={"amount": amount})


def is_problem(answer, status, word):
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert (body["type"], body["status"]) == (f"urn:tidegate:problem:{word}", status)
    assert body["title"]
    return True


def test_an_answer_below_one_mount_is_not_given_below_another(serve, stores, closing):
    """Whether the mounts are one application's, or two that share a title, as their routes and callers are alike."""
    outer, gates = FastAPI(), []
    for place in ("eu", "us"):
        app = FastAPI(title="Tenants")
        app.post("/orders")(policy(idempotent=True)(lambda place=place: place))
        gates.append(protect(app, settings=stores.settings()))
        outer.mount(f"/{place}", app)
    closing.callback(gates[0].close)
    api = serve(outer, gate=gates[1])
    asked = [pay(api, path=f"/{place}/orders") for place in ("eu", "us", "eu")]
    assert asked[0].json() == asked[2].json() == "eu"
    assert asked[2].headers["idempotent-replayed"] == "true"
    assert is_problem(asked[1], 422, "idempotency-key-reused")


def test_a_missing_key_is_refused(api, payments):
    assert is_problem(api.post("/payments", key="alice", json={"amount": 5}), 400, "idempotency-key-missing")
    assert not payments.runs


@pytest.mark.parametrize("bad", ['"unfinished', '""', '"two", "three"', "two words", "tab\there", '"with space "', "ü"])
def test_a_key_that_cannot_be_read_is_refused(api, payments, bad):
    assert is_problem(pay(api, bad), 400, "idempotency-key-invalid")
    assert not payments.runs


def test_a_key_may_be_as_long_as_255_characters_and_no_longer(api, payments):
    assert pay(api, "k" * 255).status_code == 201
    answer = pay(api, "k" * 256)
    assert is_problem(answer, 400, "idempotency-key-invalid")
    assert "255" in answer.json()["detail"]
    assert payments.runs["pay"] == 1


def test_a_body_beyond_what_the_route_reads_is_refused(api, payments):
    too_much = api.post("/raw", key="alice", headers={"idempotency-key": UUID}, content=b"x" * (6 * 1024 * 1024 + 1))
    assert is_problem(too_much, 413, "body-too-large")
    enough = api.post("/raw", key="alice", headers={"idempotency-key": UUID}, content=b"x" * (6 * 1024 * 1024))
    assert enough.json() == {"number": 1, "bytes": 6 * 1024 * 1024}


def test_a_body_that_is_not_json_is_refused_and_its_key_stays_free(api, payments):
    headers = {"idempotency-key": UUID, "content-type": "application/json"}
    assert is_problem(api.post("/payments", key="alice", headers=headers, content="{no"), 400, "body-not-json")
    assert pay(api).json()["number"] == 1


def test_an_invalid_body_is_refused_and_its_key_stays_free(api, payments):
    answer = pay(api, amount="much")
    assert is_problem(answer, 422, "invalid-request")
    assert answer.json()["errors"][0]["in"] == ["body", "amount"]
    assert "much" not in answer.text, "what was sent is not sent back"
    assert pay(api).json()["number"] == 1


def test_a_key_with_another_payload_is_refused_and_the_first_answer_stays(api, payments):
    first = pay(api, amount=5)
    assert is_problem(pay(api, amount=6), 422, "idempotency-key-reused")
    assert pay(api, amount=5).content == first.content
    assert payments.runs["pay"] == 1


@pytest.mark.parametrize("path", ["/accounts/2/payments", "/accounts/1/payments?now=1"])
def test_another_path_or_query_under_one_template_is_another_payload(api, payments, path):
    assert pay(api, path="/accounts/1/payments").status_code == 200
    assert is_problem(pay(api, path=path), 422, "idempotency-key-reused")
    assert payments.runs["pay_into"] == 1


def test_a_key_in_quotes_and_bare_is_the_same_key(api, payments):
    first = pay(api, UUID)
    for again in (pay(api, f'"{UUID}"'), pay(api, f' "{UUID}" ')):
        assert again.headers["idempotent-replayed"] == "true"
        assert again.content == first.content
    assert payments.runs["pay"] == 1


def test_a_key_belongs_to_its_caller(api, payments):
    assert [pay(api, key=caller).json()["number"] for caller in ("alice", "bob", "alice")] == [1, 2, 1]


def test_a_key_belongs_to_its_route_and_method(api, payments):
    answers = [pay(api), pay(api, path="/refunds"), pay(api, method="PUT")]
    assert not any("idempotent-replayed" in answer.headers for answer in answers)
    assert payments.runs == {"pay": 1, "refund": 1, "put": 1}


def test_a_handler_is_told_the_same_claim_by_every_attempt_with_a_key(run, stores):
    """Its id is what a handler derives its own ids from, so it must not change with the attempt."""
    seen = []
    for table in (stores.table, stores.dynamo.create_library_table()):
        stores.redis.flush()
        seen.append(pay(run(Payments().app, stores.settings(table=table))).json()["claim"])
    assert seen[0] == seen[1]


def test_the_body_reaches_the_handler_whole_though_it_was_read_before(api):
    answer = api.post("/raw", key="alice", headers={"idempotency-key": UUID}, content=b"\x00\xff" * 100_000)
    assert answer.json()["bytes"] == 200_000


def test_a_request_that_a_limit_refuses_uses_no_key_up(run, stores):
    app, runs = FastAPI(), []

    @app.post("/once")
    @policy(limits=[TokenBucket("1/h")], idempotent=True)
    async def once():
        runs.append(1)

    api = run(app, stores.settings())
    answers = [api.post("/once", key="alice", headers={"idempotency-key": key}) for key in ("k1", "k2")]
    assert [answer.status_code for answer in answers] == [200, 429]
    assert len(runs) == 1
    claims = [item for item in stores.dynamo.items(stores.table) if item["pk"]["S"].startswith("claim#")]
    assert len(claims) == 1

"""A second request with a key while the first is running: another environment's, or this server's."""

from tests.http.payments import Payments

KEY = {"idempotency-key": "8e03978e-40d5-43e8-bc93-6894a57f9324"}


def test_it_is_told_to_come_back_and_then_gets_the_first_answer(run, stores):
    first, second = Payments(name="first"), Payments(name="second")
    running, other = run(first.app, stores.settings()), run(second.app, stores.settings())
    begun = running.begin("POST", "/slow", key="alice", headers=KEY)
    assert first.began.wait(30)

    early = other.post("/slow", key="alice", headers=KEY)
    assert early.status_code == 409
    assert early.headers["content-type"] == "application/problem+json"
    assert early.json()["type"] == "urn:tidegate:problem:request-in-progress"
    assert 1 <= int(early.headers["retry-after"]) <= 2, "most handlers end long before their claim's deadline"

    first.may_end.set()
    answer = begun.result(30)
    assert answer.json() == {"number": 1, "by": "first"}
    again = other.post("/slow", key="alice", headers=KEY)
    assert (again.content, again.headers["idempotent-replayed"]) == (answer.content, "true")
    assert not second.runs


def test_with_another_payload_it_is_told_so(run, stores):
    first = Payments()
    running, other = run(first.app, stores.settings()), run(Payments().app, stores.settings())
    begun = running.begin("POST", "/slow", key="alice", headers=KEY, content="one")
    assert first.began.wait(30)
    assert other.post("/slow", key="alice", headers=KEY, content="two").status_code == 422
    first.may_end.set()
    assert begun.result(30).status_code == 200


def test_another_key_is_not_kept_waiting(run, stores):
    first, second = Payments(), Payments()
    running, other = run(first.app, stores.settings()), run(second.app, stores.settings())
    begun = running.begin("POST", "/slow", key="alice", headers=KEY)
    assert first.began.wait(30)
    second.may_end.set()
    assert other.post("/slow", key="alice", headers={"idempotency-key": "another"}).status_code == 200
    assert other.post("/slow", key="bob", headers=KEY).status_code == 200
    first.may_end.set()
    assert begun.result(30).status_code == 200


def test_the_same_on_one_server_and_without_dynamodb(serve, stores):
    payments = Payments(claims="redis")
    api = serve(payments.app, stores.settings(table=None))
    begun = api.begin("POST", "/slow", key="alice", headers=KEY)
    assert payments.began.wait(30)
    early = api.post("/slow", key="alice", headers=KEY)
    assert (early.status_code, early.json()["type"]) == (409, "urn:tidegate:problem:request-in-progress")
    assert early.headers["retry-after"].isdecimal()
    payments.may_end.set()
    assert begun.result(30).json()["number"] == 1
    assert api.post("/slow", key="alice", headers=KEY).json()["number"] == 1


def test_in_the_memory_of_one_process(serve, memory):
    payments = Payments()
    api = serve(payments.app, memory)
    begun = api.begin("POST", "/slow", key="alice", headers=KEY)
    assert payments.began.wait(30)
    assert api.post("/slow", key="alice", headers=KEY).status_code == 409
    payments.may_end.set()
    assert begun.result(30).json()["number"] == 1
    assert api.post("/slow", key="alice", headers=KEY).headers["idempotent-replayed"] == "true"

"""Claims in one process's memory: a stranger's keys take nobody's answer, and beyond the bound nothing is done."""

from tests.http.payments import Payments
from tidegate.idempotency.memory import MemoryClaims


def pay(api, caller: str, key: str):
    return api.post("/payments", key=caller, headers={"idempotency-key": key}, json={"amount": 5})


def test_a_strangers_keys_are_bounded_and_the_victims_retry_is_replayed(run, memory, monkeypatch):
    # A principal may have 10,000: too many requests for a test, and the bound is the only thing that is made smaller.
    monkeypatch.setattr(MemoryClaims.__init__, "__defaults__", (50, 20))
    payments = Payments()
    api = run(payments.app, memory)
    first = pay(api, "victim", "order-1")
    statuses = [pay(api, "stranger", f"key-{n}").status_code for n in range(25)]
    assert statuses == [201] * 20 + [503] * 5
    refused = pay(api, "stranger", "key-25")
    assert refused.json()["type"].endswith("#temporary-reduced-capacity")
    assert "nothing was done" in refused.json()["detail"]
    assert int(refused.headers["retry-after"]) >= 1
    assert payments.runs["pay"] == 21
    again = pay(api, "victim", "order-1")
    assert (again.status_code, again.content, again.headers["idempotent-replayed"]) == (201, first.content, "true")
    assert pay(api, "stranger", "key-3").headers["idempotent-replayed"] == "true"
    assert pay(api, "victim", "order-2").status_code == 201

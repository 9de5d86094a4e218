"""`on_unknown="hold"`: a handler whose attempt fell silent runs again only when its outcome is known, or decided."""

import asyncio
import contextlib
import json
import re
import threading
from pathlib import Path

import pytest
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse

from tests.harness.waiting import eventually
from tests.http.faces import statuses
from tests.http.test_takeover import Claims
from tidegate import NOT_RUN, ConfigurationError, Policy, TokenBucket, UnknownAttempt, policy, protect
from tidegate.idempotency.renewal import Renewer

KEY = {"idempotency-key": "8e03978e-40d5-43e8-bc93-6894a57f9324"}
UNKNOWN = "urn:tidegate:problem:outcome-unknown"


def signed_in(request: Request):
    if request.headers.get("x-session") == "ended":
        raise HTTPException(401)


class Shop:
    """One environment of an application that pays, and may look up whether it has."""

    def __init__(self, find=None, name="heir"):
        self.app, self.name, self.runs, self.asked = FastAPI(), name, 0, []
        self.began, self.may_end = threading.Event(), threading.Event()
        self.find = find
        held = policy(limits=[TokenBucket("1000/s")], idempotent=True, on_unknown="hold", find=find and self._found)

        @self.app.post("/pay", status_code=201, dependencies=[Depends(signed_in)])
        @held
        def pay(request: Request):
            self.runs += 1
            if self.name == "silent":
                request.state.tidegate.checkpoint_blocking("charged", {"charge": 7})
            self.began.set()
            self.may_end.wait(30)
            return self.name

    async def _found(self, request: Request, attempt: UnknownAttempt):
        self.asked.append((await request.json(), request.url.path, attempt))
        return self.find()


def pay(api, **headers):
    return api.post("/pay", headers=KEY | headers, json={"amount": 5})


@pytest.fixture(params=["dynamodb", "redis"])
def kept(request, stores, redis_db):
    """The settings of a mode, and how its one claim is made silent."""
    if request.param == "dynamodb":
        return stores.settings(), Claims(stores).let_the_deadline_pass

    def end_the_hold():
        [claim] = redis_db.keys("tidegate:*:i:*")
        redis_db.hset(claim, "deadline", 1)

    return stores.settings(table=None), end_the_hold


@pytest.fixture
def silent(run, kept, monkeypatch):
    """An attempt in another environment that has begun, and of which nothing is heard any more."""
    monkeypatch.setattr(Renewer, "keep", lambda *_: None)
    settings, end_the_hold = kept
    shop = Shop(name="silent")
    answer = run(shop.app, settings).begin("POST", "/pay", headers=KEY, json={"amount": 5})
    eventually(lambda: shop.began.is_set() or answer.done(), within_s=30)
    assert shop.began.is_set(), answer.result().text
    end_the_hold()
    yield shop, answer
    shop.may_end.set()
    answer.result(30)


@pytest.fixture
def heir(run, kept, silent):
    def made(find=None):
        shop = Shop(find)
        shop.may_end.set()
        return shop, run(shop.app, kept[0])

    return made


def test_it_is_not_run_again(heir, log):
    shop, api = heir()
    for answer in (pay(api), pay(api)):
        assert (answer.status_code, answer.json()["type"]) == (409, UNKNOWN)
        assert "retry-after" not in answer.headers
    assert shop.runs == 0
    assert [line["level"] for line in log.all if line["message"] == "outcome unknown"] == ["ERROR"] * 2


def test_what_is_found_is_the_response(heir, stores):
    shop, api = heir(lambda: JSONResponse({"charge": 7}, 201, {"location": "/charges/7"}))
    for answer in (pay(api), pay(api)):
        assert (answer.status_code, answer.json(), answer.headers["location"]) == (201, {"charge": 7}, "/charges/7")
        assert answer.headers["idempotent-replayed"] == "true"
    assert (shop.runs, len(shop.asked)) == (0, 1)


def test_the_look_up_is_told_what_is_known(heir, silent):
    shop, api = heir(lambda: None)
    pay(api)
    [(body, path, attempt)] = shop.asked
    assert (body, path, attempt.recovered) == ({"amount": 5}, "/pay", {"charged": {"charge": 7}})
    assert attempt.claim_id
    assert attempt.attempt_id


def test_an_attempt_that_had_no_effect_is_run_again(heir):
    shop, api = heir(lambda: NOT_RUN)
    assert [pay(api).json() for _ in range(2)] == ["heir"] * 2
    assert shop.runs == 1


@pytest.mark.parametrize("run", ["server"], indirect=True)
def test_of_many_retries_one_runs(heir):
    shop, api = heir(lambda: NOT_RUN)
    asked = [api.begin("POST", "/pay", headers=KEY, json={"amount": 5}) for _ in range(10)]
    assert set(statuses(answer.result(20) for answer in asked)) <= {201, 409}
    assert shop.runs == 1


def failing():
    raise RuntimeError("the bank doesn't answer")


def test_what_is_not_found_stays_unknown(heir):
    shop, api = heir(lambda: None)
    assert statuses([pay(api), pay(api)]) == [409, 409]
    assert (shop.runs, len(shop.asked)) == (0, 2)


@pytest.mark.parametrize("find", [failing, lambda: {"charge": 7}], ids=["raises", "no response"])
def test_a_look_up_that_fails_finds_nothing(heir, find, log):
    shop, api = heir(find)
    assert (pay(api).json()["type"], shop.runs) == (UNKNOWN, 0)
    assert "look-up failed" in [line["message"] for line in log.all]


def test_a_response_is_told_to_nobody_who_may_not_ask(heir):
    _, api = heir(lambda: JSONResponse({"charge": 7}))
    assert pay(api, **{"x-session": "ended"}).status_code == 401


def test_a_silent_attempt_that_ends_after_all_counts(heir, silent):
    _, api = heir()
    assert pay(api).status_code == 409
    late, answer = silent
    late.may_end.set()
    assert answer.result(30).json() == "silent"
    assert pay(api).json() == "silent"


@pytest.fixture
def decided(silent, kept, closing):
    """An application with the gate that decides, and the unknown claim's name as its log has it."""
    shop = Shop()
    shop.may_end.set()
    gate = protect(shop.app, settings=kept[0])
    closing.callback(gate.close)

    @shop.app.post("/admin/decide")
    async def decide(claim: str, ran: bool):
        return await gate.decide(claim, JSONResponse({"charge": 7}, 201) if ran else NOT_RUN)

    return shop, gate


@pytest.mark.parametrize("run", ["server"], indirect=True)
def test_somebody_decides(serve, decided, log):
    shop, gate = decided
    api = serve(shop.app, gate=gate)
    assert pay(api).status_code == 409
    [claim] = [line["claim"] for line in log.all if line["message"] == "outcome unknown"]
    assert api.post("/admin/decide", params={"claim": claim, "ran": True}).json() is True
    assert (pay(api).json(), shop.runs) == ({"charge": 7}, 0)
    assert api.post("/admin/decide", params={"claim": claim, "ran": False}).json() is False


@pytest.mark.parametrize("run", ["server"], indirect=True)
def test_somebody_comes_too_late(serve, decided, log, silent):
    shop, gate = decided
    api = serve(shop.app, gate=gate)
    pay(api)
    [claim] = [line["claim"] for line in log.all if line["message"] == "outcome unknown"]
    silent[0].may_end.set()
    silent[1].result(30)
    assert api.post("/admin/decide", params={"claim": claim, "ran": False}).json() is False, "it has ended after all"
    assert pay(api).json() == "silent"


@pytest.mark.parametrize("name", ["", "claim", "WyJhIl0", "é"])
def test_a_name_that_is_none(memory, name):
    gate = protect(FastAPI(), settings=memory)
    with contextlib.closing(gate), pytest.raises(ValueError, match="is no unknown claim's name"):
        asyncio.run(gate.decide(name, NOT_RUN))


QUEUED = {"on_unknown": "hold", "idempotent": True, "overflow": "queue", "limits": [TokenBucket("1/s")]}
WRONG = {
    "hold alone": ({"on_unknown": "hold"}, "idempotent=True"),
    "a queue": (QUEUED, "overflow"),
    "Redis": ({"on_unknown": "hold", "idempotent": True, "claims": "redis"}, "Redis may lose a claim"),
    "a look-up alone": ({"idempotent": True, "find": print}, "on_unknown='hold'"),
    "no function": ({"idempotent": True, "on_unknown": "hold", "find": "bank"}, "can't be called"),
    "a word": ({"idempotent": True, "on_unknown": "wait"}, "'retry', 'hold'"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_policy_that_cannot_hold(case):
    arguments, told = WRONG[case]
    with pytest.raises(ConfigurationError, match=told):
        Policy(**arguments)


PAGE = Path(__file__).parents[2] / "docs/how-to/unknown-outcomes.md"


@pytest.fixture
def shown(monkeypatch):
    """The page's application, with its gate."""
    monkeypatch.setenv("TIDEGATE_STORE", "memory")
    names = {}
    exec(re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)[0], names)
    return names


def test_the_pages_application(serve, shown):
    api = serve(shown["app"], gate=shown["gate"])
    paid = api.post("/payments", headers=KEY)
    assert (paid.status_code, api.post("/payments", headers=KEY).json()) == (201, {"charge": 7})
    [claim_id] = shown["charges"]
    found = shown["find"](None, UnknownAttempt(claim_id, "a"))
    assert (found.status_code, json.loads(found.body)) == (201, paid.json())
    assert shown["find"](None, UnknownAttempt("another", "a")) is NOT_RUN

"""The first answer, given again byte for byte; and which answers bind."""

import pytest
from fastapi import FastAPI

from tests.http.payments import Payments
from tidegate import TokenBucket, policy

KEY = {"idempotency-key": "8e03978e-40d5-43e8-bc93-6894a57f9324"}
ABOUT_THE_MOMENT = {"ratelimit", "idempotent-replayed"}


@pytest.fixture
def api(run, stores, payments):
    return run(payments.app, stores.settings())


def lasting(answer):
    """The fields of the answer itself: what is left of a limit differs from one moment to the next."""
    passing = {*ABOUT_THE_MOMENT, "set-cookie"}
    return [(name, value) for name, value in answer.headers.multi_items() if name not in passing]


def is_replay_of(first, again):
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert sorted(lasting(again)) == sorted(lasting(first))
    return True


def twice(api, path, **rest):
    return [api.post(path, key="alice", headers=KEY, **rest) for _ in range(2)]


def test_json_with_its_location_and_without_its_cookies(api, payments):
    first, again = twice(api, "/payments", json={"amount": 5})
    assert first.headers.get_list("set-cookie") == ["a=1", "b=2"]
    assert "set-cookie" not in again.headers, "a cookie is a credential, and isn't kept"
    assert is_replay_of(first, again)
    assert (again.status_code, again.headers["location"]) == (201, "/payments/1")
    assert payments.runs["pay"] == 1


@pytest.mark.parametrize(
    ("path", "status", "size"), [("/bytes", 200, 257), ("/nothing", 204, 0), ("/random/300000", 200, 300_000)]
)
def test_bytes_nothing_and_much(api, path, status, size):
    first, again = twice(api, path)
    assert is_replay_of(first, again)
    assert (again.status_code, len(again.content)) == (status, size)


def test_a_large_text_that_packs_well(api):
    assert is_replay_of(*twice(api, "/text/2000000"))


def test_an_answer_too_large_to_keep_is_given_once_and_not_made_again(api, payments):
    first, again = twice(api, "/random/400000")
    assert (first.status_code, len(first.content)) == (200, 400_000)
    assert again.status_code == 409
    assert again.json()["type"] == "urn:tidegate:problem:response-not-kept"
    assert payments.runs["random"] == 1


@pytest.mark.parametrize("route", ["broken", "broken-def"])
def test_an_unhandled_exception_is_a_final_500_that_discloses_nothing(api, payments, route):
    first, again = twice(api, f"/{route}")
    assert is_replay_of(first, again)
    assert (first.status_code, first.headers["content-type"]) == (500, "application/problem+json")
    assert "secret" not in first.text
    assert "RuntimeError" not in first.text
    assert payments.runs[route] == 1


def test_a_problem_that_a_handler_raises_binds(api):
    first, again = twice(api, "/sold-out")
    assert is_replay_of(first, again)
    assert again.json()["type"] == "urn:tidegate:problem:out-of-stock"
    assert (again.status_code, again.json()["run"]) == (409, 1)


@pytest.mark.parametrize("status", [400, 404, 500, 502])
def test_an_error_of_the_handler_binds(api, payments, status):
    assert is_replay_of(*twice(api, f"/status/{status}"))
    assert payments.runs["status"] == 1


@pytest.mark.parametrize("status", [429, 503])
def test_an_answer_that_says_come_again_does_not_bind(api, status):
    first, again = twice(api, f"/status/{status}")
    assert [first.status_code, again.status_code] == [status, status]
    assert [first.json()["detail"], again.json()["detail"]] == ["run 1", "run 2"]
    assert again.headers["retry-after"] == "7"
    assert "idempotent-replayed" not in again.headers


def test_handlers_of_both_colours_are_replayed(api, payments):
    assert is_replay_of(*twice(api, "/payments", json={"amount": 5}))
    assert is_replay_of(*twice(api, "/refunds", json={"amount": 5}))
    assert payments.runs == {"pay": 1, "refund": 1}


def test_every_further_retry_is_the_same(api, payments):
    first, *retries = [api.post("/bytes", key="alice", headers=KEY) for _ in range(5)]
    assert all(is_replay_of(first, again) for again in retries)


def test_an_answer_is_kept_as_long_as_the_environment_says(run, stores, redis_db):
    payments = Payments()
    api = run(payments.app, stores.settings(idempotency_lifetime_ms=3_600_000))
    api.post("/payments", key="alice", headers=KEY, json={"amount": 5})
    [kept] = redis_db.keys("tidegate:*:i:*")
    assert 3_590_000 < redis_db.pttl(kept) <= 3_600_000


def test_a_replay_tells_what_is_left_now(api):
    first, again = twice(api, "/bytes")
    assert first.headers["ratelimit-policy"] == again.headers["ratelimit-policy"]
    assert "ratelimit" in again.headers


@pytest.mark.parametrize("by", ["redis", "dynamodb"])
def test_who_has_used_his_limit_up_may_still_read_his_answer(run, stores, by):
    app, runs = FastAPI(), []

    @app.post("/twice")
    @policy(limits=[TokenBucket("2/h")], idempotent=True)
    async def two_an_hour():
        runs.append(1)
        return len(runs)

    api = run(app, stores.settings())
    first = [api.post("/twice", key="alice", headers={"idempotency-key": key}) for key in ("k1", "k2")]
    if by == "dynamodb":
        stores.redis.kill()
    again = [api.post("/twice", key="alice", headers={"idempotency-key": key}) for key in ("k1", "k2", "k3")]
    assert [answer.status_code for answer in again] == [200, 200, 429]
    assert [answer.content for answer in again[:2]] == [answer.content for answer in first]
    assert len(runs) == 2

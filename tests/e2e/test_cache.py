"""The cache through API Gateway: one copy for a fleet of real environments, void when an order takes pieces."""

from __future__ import annotations

import time
import uuid
from typing import Any

import http_sf
import httpx
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.e2e, pytest.mark.xdist_group("e2e")]


def _status(answer: httpx.Response) -> dict[str, Any]:
    [(name, told)] = http_sf.parse(answer.headers["cache-status"].encode(), tltype="list")
    assert str(name) == "tidegate"
    return {key: value if isinstance(value, bool | int) else str(value) for key, value in told.items()}


def _control(answer: httpx.Response) -> dict[str, Any]:
    told = http_sf.parse(answer.headers["cache-control"].encode(), tltype="dictionary")
    return {name: value for name, (value, _) in told.items()}


@pytest.fixture
def decided_by_redis(cloud):
    """No environment looks at copies of its own: every one that answers has Redis."""
    deadline = time.monotonic() + 90
    while True:
        seen = cloud.at_once(12, lambda: cloud.get("/health", tier=None))
        if {answer.json()["status"] for answer in seen} == {"ok"}:
            return
        assert time.monotonic() < deadline, "Redis' return is not seen"


def test_all_environments_give_one_copy_and_say_so(cloud, product, decided_by_redis):
    path = f"/v1/products/{product}"
    cloud.read(path)
    answers = cloud.at_once(24, lambda: cloud.read(path))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    hits = [answer for answer in answers if _status(answer).get("hit")]
    assert len(hits) >= len(answers) - 1, "one may have renewed it early"
    for answer in hits:
        assert _control(answer) == {"max-age": 30, "stale-while-revalidate": 60, "stale-if-error": 3600}
        assert int(answer.headers["age"]) >= 0
        assert _status(answer)["ttl"] <= 30


def test_a_client_that_has_it_is_not_sent_it_again(cloud, product, decided_by_redis):
    whole = cloud.read(f"/v1/products/{product}")
    again = cloud.read(f"/v1/products/{product}", **{"if-none-match": whole.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == whole.headers["etag"]


def test_an_order_voids_its_products_copy_in_all_environments(cloud, product, decided_by_redis):
    path = f"/v1/products/{product}"
    before = cloud.read(path).json()["stock"]
    assert cloud.order(str(uuid.uuid4()), [{"product_id": product, "quantity": 1}]).status_code == 201
    after = cloud.at_once(24, lambda: cloud.read(path))
    assert {(answer.status_code, answer.json().get("stock")) for answer in after} == {(200, before - 1)}


def test_a_refusal_and_an_unknown_product_say_so_too(cloud, decided_by_redis):
    missing = [cloud.read("/v1/products/unicorn") for _ in range(2)]
    assert [answer.status_code for answer in missing] == [404, 404]
    assert _control(missing[1]) == {"max-age": 5}
    wrong = cloud.read("/v1/products?limit=0")
    assert wrong.status_code == 422
    assert _control(wrong) == {"no-store": True}
    assert _status(wrong)["detail"] == "status-422"


def test_when_redis_is_killed_copies_are_given_still(cloud, product, decided_by_redis):
    path = f"/v1/products/{product}"
    cloud.at_once(24, lambda: cloud.get(path))
    cloud.redis.kill()
    answers = [cloud.read(path) for _ in range(8)]
    assert {answer.status_code for answer in answers} == {200}
    assert all("cache-status" in answer.headers for answer in answers)
    assert any(_status(answer).get("hit") for answer in answers)

"""One effect per key, through API Gateway, whatever happens to Redis."""

from __future__ import annotations

import uuid
from collections import Counter
from urllib.parse import urljoin

import pytest

pytestmark = pytest.mark.e2e


def test_a_retry_gets_the_first_answer_byte_for_byte(cloud, product):
    key, before = str(uuid.uuid4()), cloud.stock(product)
    items = [{"product_id": product, "quantity": 2}]
    first, second = cloud.order(key, items), cloud.order(key, items)
    assert (first.status_code, second.status_code) == (201, 201)
    assert second.content == first.content
    assert second.headers["location"] == first.headers["location"]
    assert second.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in first.headers
    assert cloud.stock(product) == before - 2
    where = urljoin(str(first.url), first.headers["location"])
    assert cloud.http.get(where, headers=cloud.key("internal")).json() == first.json()


def test_another_payload_under_the_same_key_is_refused(cloud, product):
    key = str(uuid.uuid4())
    cloud.order(key, [{"product_id": product, "quantity": 1}])
    answer = cloud.order(key, [{"product_id": product, "quantity": 2}])
    assert answer.status_code == 422
    assert answer.json()["type"] == "urn:tidegate:problem:idempotency-key-reused"


def test_no_key_too_long_a_key_and_a_body_that_is_no_json_are_400(cloud):
    missing = cloud.post("/v1/orders", "internal", {}, json={})
    too_long = cloud.post("/v1/orders", "internal", {"idempotency-key": "k" * 256}, json={})
    as_json = {"content-type": "application/json", "idempotency-key": str(uuid.uuid4())}
    no_json = cloud.post("/v1/orders", "internal", as_json, content=b"{")
    for answer in (missing, too_long, no_json):
        assert answer.status_code == 400
        assert answer.headers["content-type"] == "application/problem+json"


def test_many_at_once_with_one_key_make_one_order(cloud, product):
    key, before = str(uuid.uuid4()), cloud.stock(product)
    answers = cloud.at_once(24, lambda: cloud.order(key, [{"product_id": product, "quantity": 1}]), threads=12)
    statuses = Counter(a.status_code for a in answers)
    assert statuses.keys() <= {201, 409}, statuses
    created = [a for a in answers if a.status_code == 201]
    assert len({a.content for a in created}) == 1
    assert sum("idempotent-replayed" not in a.headers for a in created) == 1
    assert all("retry-after" in a.headers for a in answers if a.status_code == 409)
    assert cloud.stock(product) == before - 1


def test_when_redis_is_killed_the_same_key_still_replays(cloud, product):
    key, items = str(uuid.uuid4()), [{"product_id": product, "quantity": 1}]
    first = cloud.order(key, items)
    after_first = cloud.stock(product)
    cloud.redis.kill()
    again = cloud.order(key, items)
    assert again.status_code == 201
    assert again.content == first.content
    assert again.headers["idempotent-replayed"] == "true"
    cloud.redis.restart_empty()
    from_empty = cloud.order(key, items)
    assert from_empty.content == first.content
    assert cloud.stock(product) == after_first

"""Shedding through API Gateway: what there is no time for is refused before anything is asked, and may come again."""

from __future__ import annotations

import uuid

import http_sf
import pytest
from urllib3.util import Retry

pytestmark = pytest.mark.e2e

REDUCED = "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity"
NO_TIME, AMPLE = http_sf.ser(0), http_sf.ser(25_000)


def test_what_there_is_no_time_for_is_503_with_a_time_to_come_back(cloud):
    answer = cloud.get("/v1/products/none", **{"Tidegate-Timeout-Ms": NO_TIME})
    assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
    assert answer.json()["type"] == REDUCED
    assert 1 <= Retry().parse_retry_after(answer.headers["retry-after"]) <= 11
    assert "ratelimit" not in answer.headers, "no store was asked"


def test_with_time_enough_it_is_served_and_its_limits_are_told(cloud):
    answer = cloud.read("/v1/products/none", **{"Tidegate-Timeout-Ms": AMPLE})
    assert answer.status_code == 404
    (limit,) = http_sf.parse(answer.headers["ratelimit"].encode(), tltype="list")
    assert limit[1]["r"] >= 0


@pytest.mark.parametrize("said", [http_sf.ser(http_sf.Token("sheddable")), "urgent", '"critical"'])
def test_a_criticality_is_no_reason_to_fail_a_request(cloud, said):
    answer = cloud.get("/health/live", tier=None, **{"Tidegate-Criticality": said})
    assert answer.status_code == 200


def test_a_shed_order_was_never_begun(cloud):
    key, stock = f"shed-{uuid.uuid4()}", cloud.stock("tea-assam")
    order = {"items": [{"product_id": "tea-assam", "quantity": 1}]}
    headers = {**cloud.key("internal"), "Idempotency-Key": http_sf.ser(key)}
    url = cloud.state["api_url"] + "/v1/orders"
    shed = cloud.http.post(url, headers={**headers, "Tidegate-Timeout-Ms": NO_TIME}, json=order)
    assert (shed.status_code, shed.json()["type"]) == (503, REDUCED)
    assert cloud.stock("tea-assam") == stock
    placed = cloud.order(http_sf.ser(key), order["items"])
    assert placed.status_code == 201
    assert cloud.stock("tea-assam") == stock - 1

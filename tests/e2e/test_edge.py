"""The edge: keys, and throttles whose refusals are problem details."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.e2e


def test_a_call_without_a_key_is_refused_with_a_problem(cloud):
    answer = cloud.get("/v1/products", tier=None)
    assert answer.status_code == 403
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == 403


def test_an_unknown_key_is_refused_with_a_problem(cloud):
    answer = cloud.get("/v1/products", tier=None, **{"x-api-key": "no-such-key"})
    assert answer.status_code == 403
    assert answer.headers["content-type"] == "application/problem+json"


def test_health_needs_no_key(cloud):
    assert cloud.get("/health/live", tier=None).status_code == 200


def test_the_free_plan_gets_a_problem_and_retry_after_from_the_edge(cloud, edge_throttles):
    cloud.warm()
    answers = cloud.at_once(300, lambda: cloud.get("/v1/orders/none", tier="free"))
    refused = [a for a in answers if a.status_code == 429 and "ratelimit" not in a.headers]
    assert refused, "the plan's burst of 60 let all 300 through"
    for answer in refused:
        assert answer.headers["content-type"] == "application/problem+json"
        assert int(answer.headers["retry-after"]) >= 1
        assert answer.json()["type"].endswith("#quota-exceeded")


def test_the_expensive_method_has_a_throttle_of_its_own(cloud, edge_throttles):
    cloud.warm()
    answers = cloud.at_once(60, lambda: cloud.get("/v1/reports/sales"))
    assert {a.status_code for a in answers} <= {200, 429}
    assert any("ratelimit" not in a.headers for a in answers if a.status_code == 429)

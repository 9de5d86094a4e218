"""The application's limits, through API Gateway."""

from __future__ import annotations

import http_sf
import pytest

pytestmark = pytest.mark.e2e


def _fields(answer):
    limit = http_sf.parse(answer.headers["ratelimit"].encode(), tltype="list")
    policy = http_sf.parse(answer.headers["ratelimit-policy"].encode(), tltype="list")
    return dict(limit), dict(policy)


def test_an_answer_says_what_is_left(cloud):
    left, policy = _fields(cloud.get("/v1/products"))
    assert left.keys() == policy.keys()
    for name in left:
        assert 0 <= left[name]["r"] <= policy[name]["q"]
        assert policy[name]["w"] >= 1


def test_requests_beyond_the_limit_get_429_and_a_time_to_return(cloud):
    cloud.warm()
    answers = cloud.at_once(300, lambda: cloud.get("/v1/products"))
    assert {a.status_code for a in answers} == {200, 429}
    for answer in (a for a in answers if a.status_code == 429):
        assert answer.headers["content-type"] == "application/problem+json"
        left, _ = _fields(answer)
        [name] = answer.json()["violated-policies"]
        assert left[name]["r"] == 0
        assert int(answer.headers["retry-after"]) >= left[name]["t"]


def test_a_path_that_matches_no_route_is_limited_too(cloud):
    answer = cloud.get("/v1/nothing-here")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert "ratelimit" in answer.headers


def test_a_warm_environment_keeps_its_connections(cloud):
    cloud.at_once(5, lambda: cloud.get("/v1/products"), threads=1)
    before = cloud.redis.info("stats")["total_connections_received"]
    cloud.at_once(20, lambda: cloud.get("/v1/products"), threads=1)
    opened = cloud.redis.info("stats")["total_connections_received"] - before
    assert opened <= 1, f"{opened} connections for 20 warm requests (the one allowed is this test's own)"

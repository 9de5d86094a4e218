"""Two versions behind one alias share its traffic by weight, through API Gateway."""

from __future__ import annotations

from collections import Counter

import pytest

pytestmark = pytest.mark.e2e


@pytest.fixture
def lambda_client(cloud):
    with cloud.aws("lambda") as client:
        yield client


def test_thirty_seventy(cloud, lambda_client):
    name, alias = cloud.state["outputs"]["FunctionName"], cloud.state["outputs"]["AliasName"]
    stable = lambda_client.get_alias(FunctionName=name, Name=alias)["FunctionVersion"]
    lambda_client.update_function_configuration(FunctionName=name, Description="the canary of this test")
    canary = lambda_client.publish_version(FunctionName=name)["Version"]
    assert canary != stable
    try:
        lambda_client.update_alias(
            FunctionName=name, Name=alias, RoutingConfig={"AdditionalVersionWeights": {canary: 0.3}}
        )
        seen = Counter(cloud.get("/health", tier=None).json()["version"] for _ in range(300))
        assert seen.keys() == {stable, canary}
        # 0.3 of 300 is 90 with a standard deviation of 8: outside 50 to 130 lies one run in two million.
        assert 50 <= seen[canary] <= 130, seen
    finally:
        lambda_client.update_alias(FunctionName=name, Name=alias, RoutingConfig={"AdditionalVersionWeights": {}})

"""Provisioned concurrency and SnapStart in the template, where a stage asks for them."""

import pytest

pytestmark = pytest.mark.xdist_group("templates")


def test_a_stage_that_asks_for_neither_has_neither(synthesized):
    assert "SnapStart" not in synthesized.function()
    [alias] = synthesized.of_function("AWS::Lambda::Alias").values()
    assert "ProvisionedConcurrencyConfig" not in alias["Properties"]


def test_provisioned_environments_are_the_alias_of_the_api_s(variant):
    made = variant("provisioned")
    [alias] = made.of_function("AWS::Lambda::Alias").values()
    [worker] = made.of_function("AWS::Lambda::Alias", "worker").values()
    assert alias["Properties"]["ProvisionedConcurrencyConfig"] == {"ProvisionedConcurrentExecutions": 2}
    assert "ProvisionedConcurrencyConfig" not in worker["Properties"]


def test_snapstart_is_of_published_versions(variant):
    made = variant("everything")
    assert [made.function(name)["SnapStart"] for name in ("api", "worker")] == [{"ApplyOn": "PublishedVersions"}] * 2

"""Provisioned concurrency and SnapStart in the template, where a stage asks for them."""

from dataclasses import replace

import pytest

from infra.assets import Workspace
from infra.stages import AWS, Rollout

from .conftest import ROOT, synthesize


@pytest.fixture(scope="module")
def synth(tmp_path_factory):
    return lambda stage: synthesize(stage, tmp_path_factory.mktemp("starts"), Workspace.at(ROOT))


def test_a_stage_that_asks_for_neither_has_neither(synthesized):
    assert "SnapStart" not in synthesized.function()
    [alias] = synthesized.of_function("AWS::Lambda::Alias").values()
    assert "ProvisionedConcurrencyConfig" not in alias["Properties"]


def test_provisioned_environments_are_the_alias_of_the_api_s(synth):
    made = synth(replace(AWS, provisioned=2, release=Rollout(weights=())))
    [alias] = made.of_function("AWS::Lambda::Alias").values()
    [worker] = made.of_function("AWS::Lambda::Alias", "worker").values()
    assert alias["Properties"]["ProvisionedConcurrencyConfig"] == {"ProvisionedConcurrentExecutions": 2}
    assert "ProvisionedConcurrencyConfig" not in worker["Properties"]


def test_snapstart_is_of_published_versions(synth):
    made = synth(replace(AWS, snap_start=True))
    assert [made.function(name)["SnapStart"] for name in ("api", "worker")] == [{"ApplyOn": "PublishedVersions"}] * 2

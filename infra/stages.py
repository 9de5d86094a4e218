"""This repository's stages: every project's, with throttles for its own expensive methods."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from infra.application import METHOD_THROTTLES
from tidegate_cdk.project import stages
from tidegate_cdk.project.stages import Stage, Warm

__all__ = ["AWS", "LOCAL", "STAGES", "Stage", "Warm", "select"]

LOCAL = replace(stages.LOCAL, method_throttles=METHOD_THROTTLES)
AWS = replace(
    stages.AWS,
    method_throttles=METHOD_THROTTLES,
    tags=MappingProxyType({"Application": "tidegate"}),
    # The stage's 2000 requests a second, each with two limits in a transaction and a claim.
    warm=Warm(reads_per_s=12_000, writes_per_s=12_000),
)
STAGES: Mapping[str, Stage] = MappingProxyType({stage.name: stage for stage in (LOCAL, AWS)})


def select(
    name: object,
    redis_url: object = None,
    strategy: object = None,
    step_s: object = None,
    rollout: object = None,
    *,
    into_incident: object = None,
) -> Stage:
    """Pick a stage by the values of the CDK context, as `tidegate_cdk.project.stages.select` does."""
    return stages.select(name, redis_url, strategy, step_s, rollout, into_incident=into_incident, among=STAGES)

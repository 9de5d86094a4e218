"""This repository's stages: every project's, with throttles for its own expensive methods."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
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
# By the values of the CDK context.
select = partial(stages.select, among=STAGES)

"""Tidegate's own counts as a release's evidence, for functions that run its library."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from aws_cdk import aws_ec2 as ec2

from tidegate_cdk.setting_error import SettingError

_SAID = MappingProxyType({"TIDEGATE_NAMESPACE": "namespace", "TIDEGATE_TABLE": "JudgedRelease's table"})


@dataclass(frozen=True)
class TidegateCounts:
    """The counts of the library in the functions: of half minutes, by environment and route, cold starts apart.

    `namespace` is the functions' TIDEGATE_NAMESPACE; `environment` has the TIDEGATE_* variables by which they find
    their Redis. With a `vpc` the judge is a function of its own in it, which reaches Redis and DynamoDB from there. The
    library's table is the release's, too.
    """

    namespace: str = "default"
    environment: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    vpc: ec2.IVpc | None = None
    subnets: ec2.SubnetSelection | None = None
    security_groups: Sequence[ec2.ISecurityGroup] = ()

    def __post_init__(self) -> None:
        """Refuse variables that other arguments say, and a place that is in no VPC."""
        for variable, argument in _SAID.items():
            if variable in self.environment:
                raise SettingError(f"environment has {variable}: write {argument} instead")
        if self.vpc is None and (self.subnets or self.security_groups):
            raise SettingError("subnets and security_groups are those of a vpc: write vpc, or leave them away")

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables of the function that reads the counts."""
        return {**self.environment, "TIDEGATE_NAMESPACE": self.namespace}

    def written(self) -> str:
        """Write it down, as functions/rollout/metrics.py reads it."""
        return "tidegate"

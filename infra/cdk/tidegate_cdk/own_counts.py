"""Tidegate's own counts as a release's evidence, for functions that run its library."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from aws_cdk import aws_ec2 as ec2


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

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables of the function that reads the counts."""
        return {**self.environment, "TIDEGATE_NAMESPACE": self.namespace}

    def written(self) -> str:
        """Write it down, as functions/rollout/metrics.py reads it."""
        return "tidegate"

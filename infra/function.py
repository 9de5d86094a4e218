"""A function that is released by version: callers name the alias `live`, never the function itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aws_cdk import Duration, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.assets import Asset
from infra.keeping import kept
from infra.layers import Layers, architecture, archived
from infra.network import Network
from infra.own_arns import own_function
from infra.stages import Stage

ALIAS = "live"

# What Lambda does with the function's role to attach it to a VPC. No resource narrows these actions.
_INTERFACE_ACTIONS = (
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
)


class LiveFunction(Construct):
    """A function with its role, log group, published version and alias `live`.

    The role may write to the function's own log group; `allow` grants all else, action by action.
    A change of code, layers or configuration publishes a version; versions outlive their replacement, so
    that the alias can return to one. One whose release fails goes: Lambda publishes nothing that equals the last
    version that is there, and the same sources couldn't be released again. `timeout_s` None is the stage's.
    """

    def __init__(  # noqa: PLR0913 - what a function is made of, and nothing that belongs together
        self,
        scope: Construct,
        name: str,
        *,
        stage: Stage,
        code: Asset,
        layers: Layers,
        environment: Mapping[str, str],
        network: Network | None,
        timeout_s: int | None = None,
    ) -> None:
        super().__init__(scope, name)
        function_name = f"{Stack.of(self).stack_name}-{name}"
        self.log_group, self.role = log_and_role(self, stage)
        self.function = lambda_.Function(
            self,
            "Function",
            function_name=function_name,
            runtime=lambda_.Runtime.PYTHON_3_13,
            architecture=architecture(stage.target),
            handler=f"functions.{name}.handler.handler",
            code=layers.code(code),
            layers=list(layers.versions),
            memory_size=stage.memory_mb,
            timeout=Duration.seconds(timeout_s or stage.timeout_s),
            reserved_concurrent_executions=stage.reserved_concurrency,
            snap_start=lambda_.SnapStartConf.ON_PUBLISHED_VERSIONS if stage.snap_start else None,
            environment={**environment, **_fleet(stage)},
            role=self.role,
            log_group=self.log_group,
            tracing=lambda_.Tracing.ACTIVE if stage.edge.tracing else None,
            **attach(network, self.role, function_name),
            current_version_options=lambda_.VersionOptions(removal_policy=_kept_version(stage)),
        )
        await_network(self.function, network)
        self.alias = lambda_.Alias(
            self,
            "Live",
            alias_name=ALIAS,
            version=self.function.current_version,
            provisioned_concurrent_executions=stage.provisioned,
        )

    def allow(self, actions: Sequence[str], resources: Sequence[str]) -> None:
        """Let the function call these actions on these resources (ARNs)."""
        self.role.add_to_policy(iam.PolicyStatement(actions=list(actions), resources=list(resources)))


def _kept_version(stage: Stage) -> RemovalPolicy:
    """Say which versions outlive their resource; LocalStack knows no exception, and rolls nothing back itself."""
    if stage.release.by == "two-deploys":
        return RemovalPolicy.RETAIN
    return RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE


@dataclass(frozen=True)
class Program:
    """What a function runs: its last name, its handler, code and layers, how long it may take, and its variables.

    Without `layers` its archive is complete.
    """

    name: str
    handler: str
    code: Asset
    layers: Layers | None
    timeout: Duration
    environment: Mapping[str, str]


def plain_function(
    scope: Construct, prefix: str, *, stage: Stage, program: Program, network: Network | None = None
) -> lambda_.Function:
    """Make a function of the platform's own: without an alias, for it is no part of what is released by version."""
    log_group, role = log_and_role(scope, stage, prefix)
    function_name = f"{Stack.of(scope).stack_name}-{program.name}"
    made = lambda_.Function(
        scope,
        prefix or "Function",
        function_name=function_name,
        runtime=lambda_.Runtime.PYTHON_3_13,
        architecture=architecture(stage.target),
        handler=program.handler,
        code=program.layers.code(program.code) if program.layers else archived(program.code),
        layers=list(program.layers.versions) if program.layers else [],
        memory_size=512,
        timeout=program.timeout,
        environment=dict(program.environment),
        role=role,
        log_group=log_group,
        **attach(network, role, function_name),
    )
    await_network(made, network)
    return made


def await_network(function: lambda_.Function, network: Network | None) -> None:
    """Have a function wait for its network's endpoints and rules: whoever invokes it first finds the way out open.

    A function refers to its subnets and its security group alone, and CloudFormation makes the rest beside it.
    """
    if network is not None:
        function.node.add_dependency(network)


def attach(network: Network | None, role: iam.Role, function_name: str) -> Any:
    """Return a function's properties that put it into a network, and let Lambda do that with its role."""
    if network is None:
        return {}
    _allow_interfaces(role, function_name)
    return {"vpc": network.vpc, "vpc_subnets": network.subnets, "security_groups": [network.functions]}


def _fleet(stage: Stage) -> Mapping[str, str]:
    """What all environments together can do, and among how many one that knows no other shares the limits."""
    if stage.reserved_concurrency is None:
        return {}
    return dict.fromkeys(("TIDEGATE_FLEET_SIZE", "TIDEGATE_CAPACITY"), str(stage.reserved_concurrency))


def log_and_role(scope: Construct, stage: Stage, prefix: str = "") -> tuple[logs.LogGroup, iam.Role]:
    """Make what a function writes its log to, and the role that lets it do so and nothing else."""
    log_group = logs.LogGroup(
        scope,
        f"{prefix}Logs",
        retention=logs.RetentionDays[stage.log_retention],
        removal_policy=kept(stage),
    )
    role = iam.Role(scope, f"{prefix}Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
    log_group.grant_write(role)
    return log_group, role


def _allow_interfaces(role: iam.Role, function_name: str) -> None:
    role.add_to_policy(iam.PolicyStatement(actions=list(_INTERFACE_ACTIONS), resources=["*"]))
    # They are for Lambda, acting for the function; its own code has no use for them.
    function_arn = own_function(role, function_name.removeprefix(f"{Stack.of(role).stack_name}-"))
    role.add_to_policy(
        iam.PolicyStatement(
            effect=iam.Effect.DENY,
            actions=list(_INTERFACE_ACTIONS),
            resources=["*"],
            conditions={"ArnEquals": {"lambda:SourceFunctionArn": function_arn}},
        )
    )

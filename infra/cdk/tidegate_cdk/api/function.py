"""A function that is released by version: callers name the alias `live`, never the function itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aws_cdk import Duration, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from tidegate_cdk.api.keeping import Keeping
from tidegate_cdk.api.network import Place
from tidegate_cdk.api.own_arns import own_function
from tidegate_cdk.api.sizing import Sizing
from tidegate_cdk.setting_error import SettingError

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


@dataclass(frozen=True)
class Platform:
    """What the functions of an API have in common: Python, processor, how long logs are kept, and X-Ray's tracing."""

    runtime: lambda_.Runtime
    architecture: lambda_.Architecture
    keeping: Keeping
    tracing: bool = False


@dataclass(frozen=True)
class Program:
    """What a function runs: its last name, its handler, code and layers, how long it may take, and its variables."""

    name: str
    handler: str
    code: lambda_.Code
    layers: Sequence[lambda_.ILayerVersion]
    timeout: Duration
    environment: Mapping[str, str]

    def __post_init__(self) -> None:
        """Refuse a handler that Python's runtime can't call: it would be found at the first request."""
        module, dot, function = self.handler.rpartition(".")
        if not (module and dot and function.isidentifier()):
            raise SettingError(f"handler is {self.handler!r}: write the module and the function, such as app.handler")


class LiveFunction(Construct):
    """A function with its role, log group, published version and alias `live`.

    The role may write to the function's own log group; `allow` grants all else, action by action.
    A change of code, layers or configuration publishes a version; versions outlive their replacement, so
    that the alias can return to one. One whose release fails goes: Lambda publishes nothing that equals the last
    version that is there, and the same sources couldn't be released again.
    """

    def __init__(
        self,
        scope: Construct,
        *,
        platform: Platform,
        program: Program,
        sizing: Sizing,
        place: Place | None,
        versions: RemovalPolicy,
    ) -> None:
        super().__init__(scope, program.name)
        function_name = f"{Stack.of(self).stack_name}-{program.name}"
        self.log_group, self.role = log_and_role(self, platform.keeping)
        self.function = lambda_.Function(
            self,
            "Function",
            function_name=function_name,
            runtime=platform.runtime,
            architecture=platform.architecture,
            handler=program.handler,
            code=program.code,
            layers=list(program.layers),
            memory_size=sizing.memory_mb,
            timeout=program.timeout,
            reserved_concurrent_executions=sizing.reserved_concurrency,
            snap_start=lambda_.SnapStartConf.ON_PUBLISHED_VERSIONS if sizing.snap_start else None,
            environment={**program.environment, **_fleet(sizing)},
            role=self.role,
            log_group=self.log_group,
            tracing=lambda_.Tracing.ACTIVE if platform.tracing else None,
            **attach(place, self.role, function_name),
            current_version_options=lambda_.VersionOptions(removal_policy=versions),
        )
        await_place(self.function, place)
        self.alias = lambda_.Alias(
            self,
            "Live",
            alias_name=ALIAS,
            version=self.function.current_version,
            provisioned_concurrent_executions=sizing.provisioned,
        )

    def allow(self, actions: Sequence[str], resources: Sequence[str]) -> None:
        """Let the function call these actions on these resources (ARNs)."""
        self.role.add_to_policy(iam.PolicyStatement(actions=list(actions), resources=list(resources)))


def plain_function(
    scope: Construct, prefix: str, *, platform: Platform, program: Program, place: Place | None = None
) -> lambda_.Function:
    """Make a function of the platform's own: without an alias, for it is no part of what is released by version."""
    log_group, role = log_and_role(scope, platform.keeping, prefix)
    function_name = f"{Stack.of(scope).stack_name}-{program.name}"
    made = lambda_.Function(
        scope,
        prefix or "Function",
        function_name=function_name,
        runtime=platform.runtime,
        architecture=platform.architecture,
        handler=program.handler,
        code=program.code,
        layers=list(program.layers),
        memory_size=512,
        timeout=program.timeout,
        environment=dict(program.environment),
        role=role,
        log_group=log_group,
        **attach(place, role, function_name),
    )
    await_place(made, place)
    return made


def await_place(function: lambda_.Function, place: Place | None) -> None:
    """Have a function wait for its network's endpoints and rules: whoever invokes it first finds the way out open.

    A function refers to its subnets and its security group alone, and CloudFormation makes the rest beside it.
    """
    if place is not None and place.ready is not None:
        function.node.add_dependency(place.ready)


def attach(place: Place | None, role: iam.Role, function_name: str) -> Any:
    """Return a function's properties that put it into a network, and let Lambda do that with its role."""
    if place is None:
        return {}
    _allow_interfaces(role, function_name)
    groups = list(place.security_groups) or None
    return {"vpc": place.vpc, "vpc_subnets": place.subnets, "security_groups": groups}


def _fleet(sizing: Sizing) -> Mapping[str, str]:
    """What all environments together can do, and among how many one that knows no other shares the limits."""
    if sizing.reserved_concurrency is None:
        return {}
    return dict.fromkeys(("TIDEGATE_FLEET_SIZE", "TIDEGATE_CAPACITY"), str(sizing.reserved_concurrency))


def log_and_role(scope: Construct, keeping: Keeping, prefix: str = "") -> tuple[logs.LogGroup, iam.Role]:
    """Make what a function writes its log to, and the role that lets it do so and nothing else."""
    log_group = logs.LogGroup(scope, f"{prefix}Logs", retention=keeping.logs, removal_policy=keeping.removal)
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

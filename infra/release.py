"""The release: what stands between a new version and the alias that names it.

CloudFormation updates the aliases after this custom resource, and the custom resource ends when the machine does. So
the machine may move the aliases itself, and the template's word is the last in every case.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from aws_cdk import ArnFormat, CfnOutput, CustomResource, Duration, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from infra.assets import Asset
from infra.function import ALIAS, LiveFunction, Program, plain_function
from infra.layers import Layers
from infra.network import Network
from infra.release_machine import definition
from infra.stages import Stage
from infra.two_deploys import ORDER, hold

# What a release asks of Lambda: of the functions alone, and of their versions and aliases.
_VERSION_ACTIONS = ("lambda:InvokeFunction", "lambda:DeleteFunction")
_TABLE_ACTIONS = ("dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem")
_LOOK_ACTIONS = ("dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:UpdateItem")
# The longest that CloudFormation waits for a custom resource.
_AN_HOUR = Duration.seconds(3600)
_TIMEOUT_S = 120


class Release(Construct):
    """The function `rollout`, its machine, and the custom resource that both aliases wait for.

    Where there is a network, the counts are in it and Lambda's API is not: there the judge is a function of its own.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        stage: Stage,
        code: Asset,
        layers: Layers,
        environment: Mapping[str, str],
        network: Network | None,
    ) -> None:
        super().__init__(scope, construct_id)
        self._stage, self._code, self._layers, self._environment = stage, code, layers, environment
        self._machine_role = iam.Role(self, "MachineRole", assumed_by=iam.ServicePrincipal("states.amazonaws.com"))
        self._machine_name = f"{Stack.of(self).stack_name}-release"
        self.rollout = self._function("Rollout", None)
        self.judge = self._function("Judge", network) if network else self.rollout
        self.machine = self._machine()

    def govern(self, functions: Mapping[str, LiveFunction], table_arn: str, migrate: lambda_.Function | None) -> None:
        """Have these functions' aliases wait for the release; each is served by "http" or "queue"."""
        live = [function for _, function in functions.items()]
        self._grant(live, table_arn, migrate)
        properties = {"Machine": self.machine.attr_arn, **order(self._stage, functions, migrate)}
        if self._stage.release.by == "two-deploys":
            hold(live, self._stage.release.former)
            ordered = {"ServiceToken": self.rollout.function_arn, **properties}
            CfnOutput(Stack.of(self), ORDER, value=Stack.of(self).to_json_string(ordered))
            return
        resource = CustomResource(
            self,
            "Resource",
            resource_type="Custom::TidegateRelease",
            service_token=self.rollout.function_arn,
            service_timeout=_AN_HOUR,
            properties=properties,
        )
        for role in [self.rollout.role, self.judge.role, *[function.role for function in live]]:
            resource.node.add_dependency(role)  # its policy, too
        for function in live:
            function.alias.node.add_dependency(resource)

    def _function(self, name: str, network: Network | None) -> lambda_.Function:
        handler, timeout = "functions.rollout.handler.handler", Duration.seconds(_TIMEOUT_S)
        program = Program(name.lower(), handler, self._code, self._layers, timeout, self._environment)
        return plain_function(self, name, stage=self._stage, program=program, network=network)

    def _machine(self) -> sfn.CfnStateMachine:
        role = self._machine_role
        called = sorted({self.rollout.function_arn, self.judge.function_arn})
        role.add_to_policy(iam.PolicyStatement(actions=["lambda:InvokeFunction"], resources=called))
        alarms = self._alarms()
        if alarms:
            role.add_to_policy(
                iam.PolicyStatement(actions=["cloudwatch:DescribeAlarms"], resources=[*map(self._alarm_arn, alarms)])
            )
        machine = sfn.CfnStateMachine(
            self,
            "Machine",
            state_machine_name=self._machine_name,
            role_arn=role.role_arn,
            definition_string=Stack.of(self).to_json_string(
                definition(self.rollout.function_arn, self.judge.function_arn, alarms)
            ),
        )
        machine.node.add_dependency(role)
        return machine

    def _alarms(self) -> list[str]:
        """Name the alarms that fail a release; they may be made after it, so that it doesn't refer to them."""
        watched = self._stage.release.alarms if self._stage.alarms else ()
        return [f"{Stack.of(self).stack_name}-{name}" for name in watched]

    def _alarm_arn(self, name: str) -> str:
        return Stack.of(self).format_arn(
            service="cloudwatch", resource="alarm", resource_name=name, arn_format=ArnFormat.COLON_RESOURCE_NAME
        )

    def _machine_arn(self) -> str:
        """Name it without referring to it: it refers to the function that this is granted to."""
        return Stack.of(self).format_arn(
            service="states",
            resource="stateMachine",
            resource_name=self._machine_name,
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )

    def _grant(self, live: Sequence[LiveFunction], table_arn: str, migrate: lambda_.Function | None) -> None:
        functions = [function.function.function_arn for function in live]
        aliases = [f"{arn}:{ALIAS}" for arn in functions]
        versions = [f"{arn}:*" for arn in functions]
        allowed: list[tuple[Sequence[str], Sequence[str]]] = [
            (("lambda:GetAlias", "lambda:UpdateAlias"), [*functions, *aliases]),
            (("lambda:ListAliases", "lambda:ListVersionsByFunction"), functions),
            (_VERSION_ACTIONS, versions),
            (_TABLE_ACTIONS, [table_arn]),
            (("states:StartExecution",), [self._machine_arn()]),
        ]
        if migrate:
            allowed.append((("lambda:InvokeFunction",), [migrate.function_arn]))
        for actions, resources in allowed:
            _allow(self.rollout, actions, resources)
        _allow(self.judge, _LOOK_ACTIONS, [table_arn])
        for action, resources in (("dynamodb:UpdateItem", [table_arn]), ("lambda:UpdateAlias", [*functions, *aliases])):
            self._machine_role.add_to_policy(iam.PolicyStatement(actions=[action], resources=resources))


def order(stage: Stage, functions: Mapping[str, LiveFunction], migrate: lambda_.Function | None) -> dict[str, Any]:
    """Write down which versions are to be released, as functions/rollout/order.py reads it."""
    targets = [
        {
            "Name": function.function.function_name,
            "Version": function.function.current_version.version,
            "Serves": serves,
        }
        for serves, function in functions.items()
    ]
    return {
        "Namespace": stage.name,
        "Alias": ALIAS,
        "Targets": targets,
        "Way": json.dumps(way(stage)),
        **({"Migrate": migrate.function_name} if migrate else {}),
    }


def way(stage: Stage) -> dict[str, Any]:
    """Write a stage's way of releasing down for the controller."""
    release = stage.release
    last = len(release.weights) - 1
    return {
        "steps": [
            [
                weight,
                release.least_s,
                release.last_most_s if at == last else release.most_s,
                release.last_unproven if at == last else release.unproven,
            ]
            for at, weight in enumerate(release.weights)
        ],
        "look_s": release.look_s,
        "warm": release.warm,
        "keep": release.keep,
        "hold_s": release.hold_s,
    }


def _allow(function: lambda_.Function, actions: Sequence[str], resources: Sequence[str]) -> None:
    function.add_to_role_policy(iam.PolicyStatement(actions=list(actions), resources=list(resources)))

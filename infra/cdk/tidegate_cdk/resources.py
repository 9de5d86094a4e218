"""The state machine of releases as resources, and the custom resource that the aliases wait for.

CloudFormation updates the aliases after the custom resource, and the custom resource ends when the machine does. So
the machine may move the aliases itself, and the template's word is the last in every case.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from aws_cdk import ArnFormat, CustomResource, Duration, Names, Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct, IConstruct, IDependable

from tidegate_cdk.circles import NothingWaitsForItself
from tidegate_cdk.release_machine import definition
from tidegate_cdk.release_time import CLOUDFORMATION_S
from tidegate_cdk.setting_error import SettingError

# What a release asks of Lambda: of the functions alone, and of their versions and aliases.
_VERSION_ACTIONS = ("lambda:InvokeFunction", "lambda:DeleteFunction")
_TABLE_ACTIONS = ("dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem")
_LOOK_ACTIONS = ("dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:UpdateItem")
# The longest call of a function; the machine waits a little longer.
TIMEOUT_S = 120
# DescribeAlarms takes no more names.
_MOST_ALARMS = 100
_AN_HOUR = Duration.seconds(CLOUDFORMATION_S)


class Governed(NamedTuple):
    """What a release moves and writes to: functions by their ARNs, the alias's name, and the ledger's table."""

    functions: Sequence[str]
    alias: str
    table: dynamodb.ITable
    migrate: lambda_.IFunction | None


class ReleaseResources(Construct):
    """The machine, its role and rule, the grants, and the custom resource.

    A subclass makes the functions `rollout` (the controller) and `judge`, which may be the same, before it calls any
    method here.
    """

    rollout: lambda_.Function
    judge: lambda_.Function

    def __init__(self, scope: Construct, construct_id: str, *, machine_name: str | None = None) -> None:
        super().__init__(scope, construct_id)
        self.moved: set[str] = set()
        self._machine_role = iam.Role(self, "MachineRole", assumed_by=iam.ServicePrincipal("states.amazonaws.com"))
        # Step Functions takes 80 characters.
        self.machine_name = machine_name or Names.unique_resource_name(self, max_length=64, separator="-")

    def make_machine(self, alarms: Sequence[str]) -> sfn.CfnStateMachine:
        """Make the machine; any of the alarms, by their names, fails a release when it rings.

        Raises:
            SettingError: there are more than CloudWatch is asked for at once.
        """
        if len(alarms) > _MOST_ALARMS:
            raise SettingError(
                f"there are {len(alarms)} alarms, and CloudWatch is asked for {_MOST_ALARMS} at once: write a "
                "composite alarm of them"
            )
        role = self._machine_role
        called = sorted({self.rollout.function_arn, self.judge.function_arn})
        role.add_to_policy(iam.PolicyStatement(actions=["lambda:InvokeFunction"], resources=called))
        if alarms:
            role.add_to_policy(
                iam.PolicyStatement(actions=["cloudwatch:DescribeAlarms"], resources=[*map(self._alarm_arn, alarms)])
            )
        machine = sfn.CfnStateMachine(
            self,
            "Machine",
            state_machine_name=self.machine_name,
            role_arn=role.role_arn,
            definition_string=Stack.of(self).to_json_string(
                definition(self.rollout.function_arn, self.judge.function_arn, alarms)
            ),
        )
        machine.node.add_dependency(role)
        return machine

    def order_of(
        self, machine: sfn.CfnStateMachine, properties: Mapping[str, Any], awaited: Iterable[IDependable]
    ) -> CustomResource:
        """Make the custom resource, whose properties functions/rollout/order.py reads; it begins after `awaited`."""
        resource = CustomResource(
            self,
            "Resource",
            resource_type="Custom::TidegateRelease",
            service_token=self.rollout.function_arn,
            service_timeout=_AN_HOUR,
            properties=dict(properties),
        )
        resource.node.add_dependency(self._dead_machines(machine))
        for one in awaited:
            resource.node.add_dependency(one)
        return resource

    def grant(self, governed: Governed) -> None:
        """Let the controller, the judge and the machine do what a release of these functions takes."""
        functions = governed.functions
        aliases = [f"{arn}:{governed.alias}" for arn in functions]
        versions = [f"{arn}:*" for arn in functions]
        tables = [governed.table.table_arn]
        allowed: list[tuple[Sequence[str], Sequence[str]]] = [
            # One that somebody deleted is made again.
            (("lambda:CreateAlias", "lambda:GetAlias", "lambda:UpdateAlias"), [*functions, *aliases]),
            (("lambda:ListAliases", "lambda:ListVersionsByFunction"), functions),
            (_VERSION_ACTIONS, versions),
            (_TABLE_ACTIONS, tables),
            (("states:StartExecution",), [self._machine_arn()]),
        ]
        if governed.migrate:
            allowed.append((("lambda:InvokeFunction",), [governed.migrate.function_arn]))
        for actions, resources in allowed:
            allow(self.rollout, actions, resources)
        allow(self.judge, _LOOK_ACTIONS, tables)
        for action, resources in (("dynamodb:UpdateItem", tables), ("lambda:UpdateAlias", [*functions, *aliases])):
            self._machine_role.add_to_policy(iam.PolicyStatement(actions=[action], resources=resources))
        # A table that a key of the account's encrypts is read and written by whoever may use the key.
        if key := governed.table.encryption_key:
            for user in {self.rollout, self.judge}:
                key.grant_encrypt_decrypt(user)
            key.grant_encrypt_decrypt(self._machine_role)

    def have_wait(
        self, aliases: Sequence[lambda_.Alias], resource: CustomResource, needed: Sequence[IConstruct]
    ) -> None:
        """Have aliases wait for the release, and so for what is `needed` for it, which may not wait for them.

        Raises:
            SettingError: another release moves one.
        """
        self.moved = {alias.node.path for alias in aliases}
        for other in Stack.of(self).node.find_all():
            if isinstance(other, ReleaseResources) and other is not self and (both := other.moved & self.moved):
                raise SettingError(
                    f"{min(both)} is moved by {other.node.path} already: give it to one release (ProtectedApi has one "
                    "of its own unless release=None)"
                )
        for alias in aliases:
            alias.node.add_dependency(resource)
        self.node.add_validation(NothingWaitsForItself(needed, aliases))

    def _dead_machines(self, machine: sfn.CfnStateMachine) -> Construct:
        """Tell the controller of a machine that ended without an answer, whatever the machine's own role may do."""
        rule = events.CfnRule(
            self,
            "DeadMachines",
            description="Releases whose state machine ended before it answered CloudFormation",
            event_pattern={
                "source": ["aws.states"],
                "detail-type": ["Step Functions Execution Status Change"],
                "detail": {"status": ["FAILED", "TIMED_OUT", "ABORTED"], "stateMachineArn": [machine.attr_arn]},
            },
            targets=[
                events.CfnRule.TargetProperty(
                    id="Rollout",
                    arn=self.rollout.function_arn,
                    retry_policy=events.CfnRule.RetryPolicyProperty(maximum_event_age_in_seconds=CLOUDFORMATION_S),
                )
            ],
        )
        return lambda_.CfnPermission(
            self,
            "TellsOfDeadMachines",
            action="lambda:InvokeFunction",
            function_name=self.rollout.function_name,
            principal="events.amazonaws.com",
            source_arn=rule.attr_arn,
        )

    def _alarm_arn(self, name: str) -> str:
        return Stack.of(self).format_arn(
            service="cloudwatch", resource="alarm", resource_name=name, arn_format=ArnFormat.COLON_RESOURCE_NAME
        )

    def _machine_arn(self) -> str:
        """Name it without referring to it: it refers to the function that this is granted to."""
        return Stack.of(self).format_arn(
            service="states",
            resource="stateMachine",
            resource_name=self.machine_name,
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )


def allow(function: lambda_.Function, actions: Sequence[str], resources: Sequence[str]) -> None:
    """Let a function call these actions on these resources (ARNs)."""
    function.add_to_role_policy(iam.PolicyStatement(actions=list(actions), resources=list(resources)))

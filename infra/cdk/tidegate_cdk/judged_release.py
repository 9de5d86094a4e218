"""A canary for Lambda functions of any kind: a deploy compares both versions under traffic, and goes on or back."""

import json
from collections.abc import Sequence
from dataclasses import replace

from aws_cdk import Duration, Names, RemovalPolicy
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from tidegate_cdk.controller import controller
from tidegate_cdk.metrics import LAMBDA_METRICS, Metrics
from tidegate_cdk.own_counts import TidegateCounts
from tidegate_cdk.pacing import as_late, in_time, usual
from tidegate_cdk.releasable import AliasesAreMovedAlone, check
from tidegate_cdk.released import Question, ReleasedFunction, published, written
from tidegate_cdk.resources import TIMEOUT_S, Governed, ReleaseResources, allow
from tidegate_cdk.rollout import Rollout, Unattended
from tidegate_cdk.setting_error import SettingError
from tidegate_cdk.table import TidegateTable, check_key
from tidegate_cdk.way import way

Function = lambda_.Function | lambda_.Alias


class JudgedRelease(ReleaseResources):
    """The controller of releases with its ledger and state machine, and an alias of each function that waits for it.

    Point event sources at `alias(function)`. A deploy that changes a function shifts its alias in steps, compares both
    versions, and fails, with all traffic back on the former version, if the new one is worse.

    Attributes:
        table: the ledger of releases.
        machine: the state machine, whose executions are the releases.
        namespace: the release's name in the ledger.
    """

    def __init__(  # noqa: PLR0913 - each is a choice of its own, and all but the first have a default
        self,
        scope: Construct,
        construct_id: str,
        *,
        functions: Sequence[Function | ReleasedFunction],
        strategy: str | None = None,
        step_s: int | None = None,
        smoke: Sequence[Question] = (),
        alarms: Sequence[cloudwatch.IAlarm | str] = (),
        migrate: lambda_.IFunction | None = None,
        metrics: Metrics | TidegateCounts = LAMBDA_METRICS,
        alias_name: str = "live",
        table: dynamodb.ITable | None = None,
        unattended: Unattended | None = None,
        rollout: Rollout | None = None,
    ) -> None:
        """Make it.

        Args:
            scope: where it is made.
            construct_id: its name there.
            functions: those that are released together, or aliases that they have, all of one name.
            strategy: "canary" (1, 10, 50 % and a bake), "linear", "all-at-once", or rising percentages such as "5,25".
            step_s: for how many seconds a step may last without proof.
            smoke: what new versions are asked before any client reaches them; without it they are asked nothing.
            alarms: those that fail a release when they ring; by its name, one that refers to a released alias.
            migrate: the function that is called to expand a schema before a release and to contract it after one.
            metrics: those by which versions are compared; or the counts of Tidegate's library in the functions.
            alias_name: the name of the aliases that are made.
            table: the ledger's, with the key `pk` and the time to live `expires_at`; one is made without it. With
                TidegateCounts it is the library's.
            unattended: what a last step without proof comes to if no person decides.
            rollout: the weights and times, in place of the defaults.

        Raises:
            SettingError: there is no function, one is given twice, is another stack's or is imported, an alias has
                another name, TidegateCounts have no table, or an argument has a value that it doesn't take.
            StrategyError: there is no such strategy.
            ReleaseTimeError: the steps don't fit into CloudFormation's hour, or a minute of metrics into a step.
        """
        super().__init__(scope, construct_id)
        self.namespace = self.machine_name
        if isinstance(functions, lambda_.Function | lambda_.Alias):
            raise SettingError("functions is one function: write a list, such as [function]")
        given = [one if isinstance(one, ReleasedFunction) else ReleasedFunction(one, smoke) for one in functions]
        check(given, alias_name, self)
        release = in_time(_own(rollout or usual(metrics)), strategy, step_s)
        if unattended:
            release = replace(release, unattended=unattended)
        if isinstance(metrics, Metrics):
            release = as_late(release, metrics)
        elif table is None:
            raise SettingError("TidegateCounts are in a table: give table, the library's own")
        if table is not None:
            check_key(table)
        # One that is made is of this stack's releases, and says nothing without them.
        self.table = table or TidegateTable(self, "Ledger", removal_policy=RemovalPolicy.DESTROY)
        self.rollout = self.judge = self._function("Rollout", metrics if isinstance(metrics, TidegateCounts) else None)
        if isinstance(metrics, TidegateCounts) and metrics.vpc:
            self.judge = self._function("Judge", metrics, metrics.vpc)
        self.machine = self.make_machine(_names(alarms))
        self._aliases = {one.function.node.path: self._alias(one.function, alias_name) for one in given}
        versions = [published(one.function) for one in given]
        self.grant(Governed([one.lambda_.function_arn for one in versions], alias_name, self.table, migrate))
        if isinstance(metrics, Metrics):
            # No resource narrows this action.
            allow(self.judge, ["cloudwatch:GetMetricData"], ["*"])
        properties = {
            "Machine": self.machine.attr_arn,
            "Namespace": self.namespace,
            "Alias": alias_name,
            "Targets": [_target(version, one) for version, one in zip(versions, given, strict=True)],
            "Way": json.dumps(way(release)),
            "Evidence": metrics.written(),
            **({"Migrate": migrate.function_name} if migrate else {}),
            **({"IntoIncident": release.into_incident} if release.into_incident else {}),
        }
        awaited = [one.role for one in (self.rollout, self.judge, migrate) if one and one.role]
        resource = self.order_of(self.machine, properties, awaited)
        moved = list(self._aliases.values())
        needed = [*(one.lambda_ for one in versions), *([migrate] if migrate else []), *_made(alarms)]
        self.have_wait(moved, resource, needed)
        self.node.add_validation(AliasesAreMovedAlone(moved, weighted=bool(release.weights)))

    def alias(self, function: Function) -> lambda_.Alias:
        """Return the alias to point event sources at; raises KeyError for a function that isn't released."""
        alias = self._aliases.get(function.node.path)
        if alias is None:
            raise KeyError(f"{function.node.path} isn't released by {self.node.path}: give it to functions")
        return alias

    def _alias(self, function: Function, name: str) -> lambda_.Alias:
        if isinstance(function, lambda_.Alias):
            return function
        return lambda_.Alias(
            self, f"Alias{Names.node_unique_id(function.node)}", alias_name=name, version=published(function)
        )

    def _function(
        self, name: str, counts: TidegateCounts | None = None, vpc: ec2.IVpc | None = None
    ) -> lambda_.Function:
        log_group = logs.LogGroup(
            self, f"{name}Logs", retention=logs.RetentionDays.THREE_MONTHS, removal_policy=RemovalPolicy.DESTROY
        )
        role = iam.Role(self, f"{name}Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        log_group.grant_write(role)
        if vpc:
            attach = "service-role/AWSLambdaVPCAccessExecutionRole"
            role.add_managed_policy(iam.ManagedPolicy.from_aws_managed_policy_name(attach))
        return lambda_.Function(
            self,
            name,
            description="Leads releases: shifts aliases by weights, judges, goes on or back",
            runtime=lambda_.Runtime.PYTHON_3_13,
            architecture=lambda_.Architecture.ARM_64,
            handler="functions.rollout.handler.handler",
            code=lambda_.Code.from_asset(str(controller())),
            memory_size=512,
            timeout=Duration.seconds(TIMEOUT_S),
            environment={**(counts.variables if counts else {}), "TIDEGATE_TABLE": self.table.table_name},
            role=role,
            log_group=log_group,
            vpc=vpc,
            vpc_subnets=counts.subnets if counts and vpc else None,
            security_groups=list(counts.security_groups) or None if counts and vpc else None,
        )


def _target(version: lambda_.IVersion, released: ReleasedFunction) -> dict[str, str]:
    return {
        "Name": version.lambda_.function_name,
        "Version": version.version,
        "Serves": "any",
        "Smoke": written(released.smoke),
    }


def _made(alarms: Sequence[cloudwatch.IAlarm | str]) -> list[cloudwatch.IAlarm]:
    return [one for one in alarms if not isinstance(one, str)]


def _names(alarms: Sequence[cloudwatch.IAlarm | str]) -> list[str]:
    if isinstance(alarms, str):
        raise SettingError(f"alarms is {alarms!r}: write a list, such as [{alarms!r}]")
    return [one if isinstance(one, str) else one.alarm_name for one in alarms]


def _own(release: Rollout) -> Rollout:
    """Refuse what only a ProtectedApi's release does: here it would be left out unsaid."""
    if release.by != "tidegate" or release.former:
        raise SettingError(
            f"rollout has by={release.by!r}, and a JudgedRelease shifts traffic by itself: leave by and former away"
        )
    if release.alarms not in {(), Rollout().alarms}:
        raise SettingError(f"rollout has alarms={release.alarms!r}: write alarms={list(release.alarms)!r} beside it")
    return release

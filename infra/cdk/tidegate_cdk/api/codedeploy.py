"""CodeDeploy instead of the release: it shifts the aliases' traffic by itself, and alarms turn it back.

It is a policy of the alias: CloudFormation hands each update of one to CodeDeploy, and waits.
"""

import math
from collections.abc import Sequence

from aws_cdk import Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_codedeploy as codedeploy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from tidegate_cdk.api.function import ALIAS, LiveFunction, Platform, Program, plain_function
from tidegate_cdk.api.release import Ordered
from tidegate_cdk.rollout import Rollout
from tidegate_cdk.strategy import shift

# The most that Lambda takes: an expansion and the questions have to be over by then.
_HOOK_TIMEOUT = Duration.minutes(15)
_SHIFT_ACTIONS = ("lambda:GetAlias", "lambda:GetProvisionedConcurrencyConfig", "lambda:UpdateAlias")


class Deployment(Construct):
    """CodeDeploy's application, a group for each function, and the function `hook` that is asked before any traffic."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        platform: Platform,
        code: lambda_.Code,
        alarms: Sequence[str],
    ) -> None:
        super().__init__(scope, construct_id)
        self._platform, self._code = platform, code
        # By name, without a reference: they measure what the aliases serve.
        self._alarms = [cloudwatch.Alarm.from_alarm_name(self, name.rpartition("-")[2], name) for name in alarms]

    def govern(self, ordered: Ordered) -> None:
        """Have CodeDeploy update the functions' aliases."""
        live = list(ordered.functions.values())
        hook = self._hook(Stack.of(self).to_json_string(ordered.properties()))
        _allow_questions(hook, live, ordered.migrate)
        role = self._role(live, hook)
        application = codedeploy.LambdaApplication(self, "Application")
        rollback = codedeploy.AutoRollbackConfig(
            failed_deployment=True, stopped_deployment=True, deployment_in_alarm=bool(self._alarms)
        )
        config = codedeploy.LambdaDeploymentConfig(self, "Config", traffic_routing=routing(ordered.release))
        for function in live:
            codedeploy.LambdaDeploymentGroup(
                self,
                function.node.id,
                application=application,
                alias=function.alias,
                deployment_config=config,
                alarms=self._alarms,
                auto_rollback=rollback,
                pre_hook=hook,
                # What CDK would add is for all functions and alarms of the account.
                role=role.without_policy_updates(),
            )
            for needed in (hook, role, function.role):
                function.alias.node.add_dependency(needed)  # roles with their policies

    def _hook(self, ordered: str) -> lambda_.Function:
        handler, environment = "functions.rollout.hook.handler", {"TIDEGATE_ORDER": ordered}
        program = Program("hook", handler, self._code, (), _HOOK_TIMEOUT, environment)
        return plain_function(self, "Hook", platform=self._platform, program=program)

    def _role(self, live: Sequence[LiveFunction], hook: lambda_.Function) -> iam.Role:
        """Let CodeDeploy move these aliases, call the hook, and look at these alarms."""
        role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("codedeploy.amazonaws.com"))
        _allow(role, _SHIFT_ACTIONS, _named(live))
        _allow(role, ["lambda:InvokeFunction"], [hook.function_arn])
        if self._alarms:
            _allow(role, ["cloudwatch:DescribeAlarms"], [alarm.alarm_arn for alarm in self._alarms])
        return role


def routing(release: Rollout) -> codedeploy.TrafficRouting:
    """Say a release's weights in CodeDeploy's words."""
    shifted = shift(release.weights)
    if shifted is None:
        return codedeploy.TrafficRouting.all_at_once()
    interval = Duration.minutes(interval_minutes(release))
    if shifted.kind == "canary":
        return codedeploy.TrafficRouting.time_based_canary(interval=interval, percentage=shifted.percent)
    return codedeploy.TrafficRouting.time_based_linear(interval=interval, percentage=shifted.percent)


def interval_minutes(release: Rollout) -> int:
    """Return how long a step lasts: CodeDeploy takes no seconds."""
    return math.ceil(release.most_s / 60)


def _allow_questions(hook: lambda_.Function, live: Sequence[LiveFunction], migrate: lambda_.Function | None) -> None:
    versions = [f"{function.function.function_arn}:*" for function in live]
    _allow(hook, ["lambda:GetAlias"], _named(live))
    _allow(hook, ["lambda:ListVersionsByFunction"], [function.function.function_arn for function in live])
    _allow(hook, ["lambda:InvokeFunction"], [*versions, *([migrate.function_arn] if migrate else [])])


def _named(live: Sequence[LiveFunction]) -> list[str]:
    """List the functions and their aliases, without a reference to the latter, which wait for whom this is for."""
    functions = [function.function.function_arn for function in live]
    return [*functions, *[f"{arn}:{ALIAS}" for arn in functions]]


def _allow(grantee: iam.IGrantable, actions: Sequence[str], resources: Sequence[str]) -> None:
    grantee.grant_principal.add_to_principal_policy(
        iam.PolicyStatement(actions=list(actions), resources=list(resources))
    )

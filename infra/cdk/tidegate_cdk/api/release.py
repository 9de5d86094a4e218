"""The release of an API: what stands between a new version of its functions and the aliases that name them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aws_cdk import CfnOutput, Duration, Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_lambda as lambda_
from constructs import Construct, IDependable

from tidegate_cdk.api.function import ALIAS, LiveFunction, Platform, Program, plain_function
from tidegate_cdk.api.network import Place
from tidegate_cdk.api.two_deploys import ORDER, hold
from tidegate_cdk.released import Question, written
from tidegate_cdk.resources import TIMEOUT_S, Governed, ReleaseResources
from tidegate_cdk.rollout import Rollout
from tidegate_cdk.way import way


@dataclass(frozen=True)
class Ordered:
    """What is released, and how: functions by what serves them, "http" or "queue", and who migrates for them.

    `smoke` is what a new version of the former is asked.
    """

    namespace: str
    release: Rollout
    functions: Mapping[str, LiveFunction]
    migrate: lambda_.Function | None
    smoke: Sequence[Question]

    def properties(self) -> dict[str, Any]:
        """Write down which versions are to be released, as functions/rollout/order.py reads it."""
        return {
            "Namespace": self.namespace,
            "Alias": ALIAS,
            "Targets": [self._target(serves, function) for serves, function in self.functions.items()],
            "Way": json.dumps(way(self.release)),
            **({"Migrate": self.migrate.function_name} if self.migrate else {}),
            **({"IntoIncident": self.release.into_incident} if self.release.into_incident else {}),
        }

    def _target(self, serves: str, function: LiveFunction) -> dict[str, str]:
        asked = {"Smoke": written(self.smoke)} if serves == "http" else {}
        return {
            "Name": function.function.function_name,
            "Version": function.function.current_version.version,
            "Serves": serves,
            **asked,
        }


class Release(ReleaseResources):
    """The function `rollout`, its machine, and the custom resource that both aliases wait for.

    The functions run on an archive of their own, without the layers that they release.

    Where there is a network, the counts are in it and Lambda's API is not: there the judge is a function of its own.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        platform: Platform,
        code: lambda_.Code,
        environment: Mapping[str, str],
        place: Place | None,
        alarms: Sequence[str],
    ) -> None:
        super().__init__(scope, construct_id, machine_name=f"{Stack.of(scope).stack_name}-release")
        self._platform, self._code, self._environment, self._place = platform, code, environment, place
        self.rollout = self._function("Rollout", None)
        self.judge = self._function("Judge", place) if place else self.rollout
        self.machine = self.make_machine(alarms)

    def govern(self, ordered: Ordered, table: dynamodb.ITable) -> None:
        """Have the functions' aliases wait for the release."""
        live, migrate, release = list(ordered.functions.values()), ordered.migrate, ordered.release
        self.grant(Governed([one.function.function_arn for one in live], ALIAS, table, migrate))
        properties = {"Machine": self.machine.attr_arn, **ordered.properties()}
        if release.by == "two-deploys":
            hold(live, release.former)
            whole = {"ServiceToken": self.rollout.function_arn, **properties}
            CfnOutput(Stack.of(self), ORDER, value=Stack.of(self).to_json_string(whole))
            return
        called = [self.rollout, self.judge, *([migrate] if migrate else [])]
        # Each role with its policy, too.
        awaited: list[IDependable] = [one.role for one in called if one.role]
        awaited += [one.role for one in live]
        if self._place and self._place.ready is not None:
            # What nothing refers to: the endpoints, and the rules of the security groups.
            awaited.append(self._place.ready)
        resource = self.order_of(self.machine, properties, awaited)
        needed = [*(one.function for one in live), *([migrate] if migrate else [])]
        self.have_wait([function.alias for function in live], resource, needed)

    def _function(self, name: str, place: Place | None) -> lambda_.Function:
        handler, timeout = "functions.rollout.handler.handler", Duration.seconds(TIMEOUT_S)
        program = Program(name.lower(), handler, self._code, (), timeout, self._environment)
        return plain_function(self, name, platform=self._platform, program=program, place=place)

"""The release of a stage: what stands between a new version of its functions and the aliases that name them."""

import json
from collections.abc import Mapping
from typing import Any

from aws_cdk import CfnOutput, Duration, Stack
from aws_cdk import aws_lambda as lambda_
from constructs import Construct, IDependable

from infra.assets import Asset
from infra.function import ALIAS, LiveFunction, Program, plain_function
from infra.network import Network
from infra.stages import Stage
from infra.two_deploys import ORDER, hold
from tidegate_cdk.released import Smoke, written
from tidegate_cdk.resources import TIMEOUT_S, Governed, ReleaseResources
from tidegate_cdk.way import way
from tidegate_local.project_facts import ProjectFacts


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
        stage: Stage,
        code: Asset,
        environment: Mapping[str, str],
        network: Network | None,
    ) -> None:
        super().__init__(scope, construct_id, machine_name=f"{Stack.of(scope).stack_name}-release")
        self._stage, self._code, self._environment, self._network = stage, code, environment, network
        self.rollout = self._function("Rollout", None)
        self.judge = self._function("Judge", network) if network else self.rollout
        self.machine = self.make_machine(self._alarms())

    def govern(self, functions: Mapping[str, LiveFunction], table_arn: str, migrate: lambda_.Function | None) -> None:
        """Have these functions' aliases wait for the release; each is served by "http" or "queue"."""
        live = [function for _, function in functions.items()]
        self.grant(Governed([one.function.function_arn for one in live], ALIAS, table_arn, migrate))
        properties = {"Machine": self.machine.attr_arn, **order(self._stage, functions, migrate)}
        if self._stage.release.by == "two-deploys":
            hold(live, self._stage.release.former)
            ordered = {"ServiceToken": self.rollout.function_arn, **properties}
            CfnOutput(Stack.of(self), ORDER, value=Stack.of(self).to_json_string(ordered))
            return
        called = [self.rollout, self.judge, *([migrate] if migrate else [])]
        # Each role with its policy, too.
        awaited: list[IDependable] = [one.role for one in called if one.role]
        awaited += [one.role for one in live]
        if self._network:
            # What nothing refers to: the endpoints, and the rules of the security groups.
            awaited.append(self._network)
        resource = self.order_of(self.machine, properties, awaited)
        for function in live:
            function.alias.node.add_dependency(resource)

    def _function(self, name: str, network: Network | None) -> lambda_.Function:
        handler, timeout = "functions.rollout.handler.handler", Duration.seconds(TIMEOUT_S)
        program = Program(name.lower(), handler, self._code, None, timeout, self._environment)
        return plain_function(self, name, stage=self._stage, program=program, network=network)

    def _alarms(self) -> list[str]:
        """Name the alarms that fail a release; they may be made after it, so that it doesn't refer to them."""
        watched = self._stage.release.alarms if self._stage.alarms else ()
        return [f"{Stack.of(self).stack_name}-{name}" for name in watched]


def order(stage: Stage, functions: Mapping[str, LiveFunction], migrate: lambda_.Function | None) -> dict[str, Any]:
    """Write down which versions are to be released, as functions/rollout/order.py reads it."""
    targets = [
        {
            "Name": function.function.function_name,
            "Version": function.function.current_version.version,
            "Serves": serves,
            **({"Smoke": _smoke()} if serves == "http" else {}),
        }
        for serves, function in functions.items()
    ]
    return {
        "Namespace": stage.name,
        "Alias": ALIAS,
        "Targets": targets,
        "Way": json.dumps(way(stage.release)),
        **({"Migrate": migrate.function_name} if migrate else {}),
        **({"IntoIncident": stage.release.into_incident} if stage.release.into_incident else {}),
    }


def _smoke() -> str:
    """Write down what the project says that its new versions are asked."""
    return written([Smoke(one.path, one.status) for one in ProjectFacts.read().smoke])

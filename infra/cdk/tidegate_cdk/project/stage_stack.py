"""The stack of one stage: a ProtectedApi by its settings, and the outputs that the `tidegate` command reads."""

from typing import Any

from aws_cdk import CfnOutput, Environment, Fn, Stack, Tags
from constructs import Construct

from tidegate_cdk.api.gateway import STAGE_NAME
from tidegate_cdk.api.protected_api import ProtectedApi
from tidegate_cdk.api.redis import ExistingRedis
from tidegate_cdk.edge_throttles import named
from tidegate_cdk.project.layers import architecture
from tidegate_cdk.project.stages import Stage


class StageStack(Stack):
    """A stack whose API is a stage's.

    Attributes:
        stage: its settings; `stage.keeping.removal` is what becomes of a table with the stack.
    """

    def __init__(self, scope: Construct, construct_id: str, *, stage: Stage, description: str) -> None:
        super().__init__(
            scope,
            construct_id,
            description=description,
            analytics_reporting=False,
            termination_protection=stage.keeping.protected,
            env=Environment(account=stage.account, region=stage.region),
        )
        self.stage = stage

    @property
    def availability_zones(self) -> list[str]:
        """The region's first two, which CloudFormation looks up: CDK would ask AWS at synthesis."""
        return [Fn.select(place, Fn.get_azs()) for place in range(2)]

    def protect(self, *, further: dict[str, str] | None = None, **parts: Any) -> ProtectedApi:
        """Make the API by the stage's settings, which `parts` replaces; they are ProtectedApi's arguments.

        `further` are more outputs of the stack, by their names.

        Raises:
            SettingError: a part has a value that it doesn't take.
        """
        # CDK leaves this id out of the resources' names.
        made = ProtectedApi(self, "Default", **{**self._of_stage(), **parts})
        self._tell(made, further or {})
        for name, value in {**self.stage.tags, "Stage": self.stage.name}.items() if self.stage.tags else ():
            Tags.of(self).add(name, value)
        return made

    def _of_stage(self) -> dict[str, Any]:
        stage = self.stage
        return {
            "library": False,
            "environment": self._environment(),
            "namespace": stage.name,
            "service": stage.service("{function}"),
            "architecture": architecture(stage.target),
            "sizing": stage.sizing,
            "keeping": stage.keeping,
            "cache": ExistingRedis(stage.redis_url) if stage.redis_url else stage.cache_limits,
            "async_refresh": stage.async_refresh,
            "plans": stage.plans,
            "rates": stage.rates,
            "edge": stage.edge,
            "cors": stage.cors,
            "binary_media_types": stage.binary_media_types,
            "release": stage.release,
            "observability": stage.alarms,
            "operations": stage.operations,
        }

    def _environment(self) -> dict[str, str]:
        """Tell the functions what their engine and its machine are like."""
        stage = self.stage
        values = {
            "TIDEGATE_TRUST_API_KEY_HEADER": "1" if stage.trust_api_key_header else None,
            "TIDEGATE_PRINCIPAL_SECRET": stage.principal_secret,
            "TIDEGATE_DECISION_BUDGET_MS": str(stage.decision_budget_ms or "") or None,
            "TIDEGATE_SHED_WAIT_MS": stage.shed_wait_ms,
            "TIDEGATE_SHED_DATABASE_MS": stage.shed_database_ms,
            "TIDEGATE_HEALTH_DETAILS": "all" if stage.open_health else None,
        }
        return {name: value for name, value in values.items() if value is not None}

    def _tell(self, made: ProtectedApi, further: dict[str, str]) -> None:
        outputs = {
            "ApiId": made.gateway.api.rest_api_id,
            "StageName": STAGE_NAME,
            "ApiUrl": made.url,
            "FunctionName": made.api.function.function_name,
            "AliasName": made.api.alias.alias_name,
            **({"WorkerName": made.worker.function.function_name} if made.worker else {}),
            **({"WorkerLogGroupName": made.worker.log_group.log_group_name} if made.worker else {}),
            **({"MigrateName": made.migrate.function_name} if made.migrate else {}),
            **({"QueueUrl": made.overflow.queue.queue_url} if made.overflow else {}),
            **({"DeadLetterUrl": made.overflow.dead_letters.queue_url} if made.overflow else {}),
            "LogGroupName": made.api.log_group.log_group_name,
            **({"DomainTarget": made.gateway.domain.target} if made.gateway.domain else {}),
            **({"ReleaseMachine": made.release.machine.attr_arn} if made.release else {}),
            "TidegateTable": made.table.table_name,
            **further,
        }
        keys = {f"{named(tier)}KeyId": key.key_id for tier, key in made.gateway.keys.items()}
        for name, value in {**outputs, **keys}.items():
            CfnOutput(self, name, value=value)

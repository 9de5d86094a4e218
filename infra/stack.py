"""The stack of one stage: a protected API of this repository's functions, tables and layers, and where things are."""

from aws_cdk import CfnOutput, Environment, Fn, Stack, Tags
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.application import ApplicationTables
from infra.artefacts import function_code
from infra.assets import Workspace
from infra.controller import controller
from infra.layers import Layers, architecture, archived
from infra.stages import Stage, Warm
from infra.token_check import token_check
from tidegate_cdk.api.edge import Edge
from tidegate_cdk.api.gateway import STAGE_NAME
from tidegate_cdk.api.migrations import Migrations
from tidegate_cdk.api.paths import Paths
from tidegate_cdk.api.protected_api import ProtectedApi
from tidegate_cdk.api.redis import ExistingRedis
from tidegate_cdk.edge_throttles import named
from tidegate_cdk.released import Smoke
from tidegate_cdk.table import TidegateTable
from tidegate_local.project_facts import ProjectFacts

# Of the library's metrics.
NAMESPACE = "Tidegate"


class TidegateStack(Stack):
    """The protected API of one stage: its edge, its function, its tables, and on AWS its network and cache."""

    def __init__(self, scope: Construct, construct_id: str, *, stage: Stage, workspace: Workspace) -> None:
        super().__init__(
            scope,
            construct_id,
            description="Tidegate: a protected API behind API Gateway",
            analytics_reporting=False,
            termination_protection=stage.keeping.protected,
            env=Environment(account=stage.account, region=stage.region),
        )
        self._stage = stage
        tables = Construct(self, "Tables")
        tidegate = _library_table(tables, stage)
        self.tables = ApplicationTables(tables, stage.keeping)
        self.protected = self._protected(workspace, tidegate)
        if self.protected.migrate:
            self.tables.let_migrate(self.protected.migrate, tidegate)
        self._outputs()
        self._tag()

    def _protected(self, workspace: Workspace, table: dynamodb.ITable) -> ProtectedApi:
        stage = self._stage
        layers = Layers(self, "Layers", workspace=workspace, target=stage.target, in_zips=stage.layers_in_zips)

        def code(name: str) -> lambda_.Code:
            return layers.code(function_code(workspace, name, stage.target))

        return ProtectedApi(
            self,
            "Default",  # which CDK leaves out of the resources' names
            code=code("api"),
            handler="functions.api.handler.handler",
            layers=layers.versions,
            library=False,
            environment=self._environment(),
            name=f"tidegate-{stage.name}",
            namespace=stage.name,
            service=stage.service("{function}"),
            metrics_namespace=NAMESPACE,
            architecture=architecture(stage.target),
            sizing=stage.sizing,
            keeping=stage.keeping,
            table=table,
            tables=self.tables.granted(),
            cache=ExistingRedis(stage.redis_url) if stage.redis_url else stage.cache_limits,
            async_refresh=stage.async_refresh,
            queue=stage.queue(handler="functions.worker.handler.handler", code=code("worker")),
            paths=Paths("/v1"),
            plans=stage.plans,
            rates=stage.rates,
            edge=self._edge(workspace),
            cors=stage.cors,
            binary_media_types=stage.binary_media_types,
            release=stage.release,
            smoke=[Smoke(one.path, one.status) for one in ProjectFacts.read().smoke],
            migrations=Migrations("functions.migrate.handler.handler", code("migrate")),
            controller=archived(controller(workspace, stage.target)),
            observability=stage.alarms,
            operations=stage.operations,
        )

    def _edge(self, workspace: Workspace) -> Edge:
        stage = self._stage
        if stage.tokens is None:
            return stage.edge
        return stage.edge.asking(token_check(self, stage=stage, tokens=stage.tokens, workspace=workspace))

    def _tag(self) -> None:
        told = self._stage.tags
        for name, value in {**told, "Stage": self._stage.name}.items() if told else ():
            Tags.of(self).add(name, value)

    @property
    def availability_zones(self) -> list[str]:
        """The region's first two, which CloudFormation looks up: CDK would ask AWS at synthesis."""
        return [Fn.select(place, Fn.get_azs()) for place in range(2)]

    def _environment(self) -> dict[str, str]:
        """Tell the functions what their engine and its machine are like."""
        stage = self._stage
        values = {
            "TIDEGATE_TRUST_API_KEY_HEADER": "1" if stage.trust_api_key_header else None,
            "TIDEGATE_PRINCIPAL_SECRET": stage.principal_secret,
            "TIDEGATE_DECISION_BUDGET_MS": str(stage.decision_budget_ms or "") or None,
            "TIDEGATE_SHED_WAIT_MS": stage.shed_wait_ms,
            "TIDEGATE_SHED_DATABASE_MS": stage.shed_database_ms,
            "TIDEGATE_HEALTH_DETAILS": "all" if stage.open_health else None,
        }
        return {name: value for name, value in values.items() if value is not None}

    def _outputs(self) -> None:
        made = self.protected
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
            **self.tables.outputs(),
        }
        keys = {f"{named(tier)}KeyId": key.key_id for tier, key in made.gateway.keys.items()}
        for name, value in {**outputs, **keys}.items():
            CfnOutput(self, name, value=value)


def _library_table(scope: Construct, stage: Stage) -> TidegateTable:
    return TidegateTable(
        scope,
        "Tidegate",
        removal_policy=stage.keeping.removal,
        deletion_protection=stage.keeping.protected,
        warm_throughput=_warm(stage.warm) if stage.warm else None,
    )


def _warm(warm: Warm) -> dynamodb.WarmThroughput:
    return dynamodb.WarmThroughput(read_units_per_second=warm.reads_per_s, write_units_per_second=warm.writes_per_s)

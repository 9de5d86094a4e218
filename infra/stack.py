"""This repository's stack: the API of its sample, its worker and its migrations, from the sources of the checkout."""

from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.application import ApplicationTables
from infra.artefacts import dependencies_layer, function_code, library_layer
from infra.controller import controller
from infra.stages import Stage, Warm
from infra.token_check import token_check
from tidegate_build.assets import Workspace
from tidegate_cdk.api.edge import Edge
from tidegate_cdk.api.migrations import Migrations
from tidegate_cdk.api.paths import Paths
from tidegate_cdk.api.protected_api import ProtectedApi
from tidegate_cdk.project.layers import Layers, archived
from tidegate_cdk.project.stage_stack import StageStack
from tidegate_cdk.released import Smoke
from tidegate_cdk.table import TidegateTable
from tidegate_local.project_facts import ProjectFacts

# Of the library's metrics.
NAMESPACE = "Tidegate"


class TidegateStack(StageStack):
    """The protected API of one stage: its edge, its function, its tables, and on AWS its network and cache."""

    def __init__(self, scope: Construct, construct_id: str, *, stage: Stage, workspace: Workspace) -> None:
        described = "Tidegate: a protected API behind API Gateway"
        super().__init__(scope, construct_id, stage=stage, description=described)
        tables = Construct(self, "Tables")
        tidegate = _library_table(tables, stage)
        self.tables = ApplicationTables(tables, stage.keeping)
        self.protected = self._protected(workspace, tidegate)
        if self.protected.migrate:
            self.tables.let_migrate(self.protected.migrate, tidegate)

    def _protected(self, workspace: Workspace, table: dynamodb.ITable) -> ProtectedApi:
        stage = self.stage
        layers = Layers(
            self,
            "Layers",
            workspace=workspace,
            target=stage.target,
            dependencies=dependencies_layer(workspace, stage.target),
            library=library_layer(workspace, stage.target),
            in_zips=stage.layers_in_zips,
        )

        def code(name: str) -> lambda_.Code:
            return layers.code(function_code(workspace, name, stage.target))

        return self.protect(
            code=code("api"),
            handler="functions.api.handler.handler",
            layers=layers.versions,
            name=f"tidegate-{stage.name}",
            metrics_namespace=NAMESPACE,
            table=table,
            tables=self.tables.granted(),
            queue=stage.queue(handler="functions.worker.handler.handler", code=code("worker")),
            paths=Paths("/v1"),
            edge=self._edge(workspace),
            smoke=[Smoke(asked.path, asked.status) for asked in ProjectFacts.read(workspace.root).smoke],
            migrations=Migrations("functions.migrate.handler.handler", code("migrate")),
            controller=archived(controller(workspace, stage.target)),
            further=self.tables.outputs(),
        )

    def _edge(self, workspace: Workspace) -> Edge:
        stage = self.stage
        if stage.tokens is None:
            return stage.edge
        return stage.edge.asking(token_check(self, stage=stage, tokens=stage.tokens, workspace=workspace))


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

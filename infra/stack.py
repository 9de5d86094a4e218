"""The stack that composes the constructs, grants each function what it does, and says where things are."""

from dataclasses import replace

from aws_cdk import CfnOutput, Environment, Fn, Stack, Tags
from aws_cdk import aws_iam as iam
from constructs import Construct

from infra import library_items
from infra.artefacts import function_code
from infra.assets import Workspace
from infra.cache import Cache
from infra.codedeploy import Deployment
from infra.controller import controller
from infra.function import ALIAS, LiveFunction
from infra.gateway import STAGE_NAME, Gateway
from infra.layers import Layers
from infra.measures import SERVICE, Backlog, Measures
from infra.migration import Migration
from infra.network import Network
from infra.observability import Observability
from infra.overflow import Overflow
from infra.own_arns import own_function
from infra.release import Release
from infra.stages import Stage
from infra.store_measures import Stores
from infra.tables import ORDERS_BY_OWNER, Tables
from infra.token_check import token_check
from tidegate_cdk.edge_throttles import named

_PRODUCTS_ACTIONS = ("dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:Scan", "dynamodb:UpdateItem")
_ORDERS_ACTIONS = ("dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Scan")


class TidegateStack(Stack):
    """The protected API of one stage: its edge, its function, its tables, and on AWS its network and cache."""

    def __init__(self, scope: Construct, construct_id: str, *, stage: Stage, workspace: Workspace) -> None:
        super().__init__(
            scope,
            construct_id,
            description="Tidegate: a protected API behind API Gateway",
            analytics_reporting=False,
            termination_protection=stage.protected,
            env=Environment(account=stage.account, region=stage.region),
        )
        self._stage = stage
        self.tables = Tables(self, "Tables", stage=stage)
        self.network = Network(self, "Network", stage=stage) if stage.cache_limits else None
        self.cache = self._cache()
        self.overflow = Overflow(self, "Overflow", stage=stage)
        layers = Layers(self, "Layers", workspace=workspace, target=stage.target, in_zips=stage.layers_in_zips)
        self.api = LiveFunction(
            self,
            "api",
            stage=stage,
            code=function_code(workspace, "api", stage.target),
            layers=layers,
            environment=self._environment("api"),
            network=self.network,
        )
        self.worker = LiveFunction(
            self,
            "worker",
            # Its event source caps its concurrency.
            stage=replace(stage, reserved_concurrency=None, provisioned=None),
            timeout_s=stage.worker_timeout_s,
            code=function_code(workspace, "worker", stage.target),
            layers=layers,
            environment=self._environment("worker")
            | {"TIDEGATE_DEAD_LETTER_URL": self.overflow.dead_letters.queue_url},
            network=self.network,
        )
        for function in (self.api, self.worker):
            self._grant(function)
        if stage.async_refresh:
            self.api.allow(["lambda:InvokeFunction"], [own_function(self, "api", ALIAS)])
        if self.network:
            self.network.lead_to(self.tables.all(), [self.overflow.queue, self.overflow.dead_letters])
        self.overflow.accept_from(self.api)
        self.overflow.feed(self.worker)
        self.migration = self._migration(workspace, layers)
        codedeploy = stage.release.by == "codedeploy"
        self.release = None if codedeploy else self._release(workspace)
        self.deployment = self._deployment(workspace) if codedeploy else None
        tokens = stage.edge.tokens
        check = token_check(self, stage=stage, tokens=tokens, workspace=workspace) if tokens else None
        self.gateway = Gateway(self, "Gateway", stage=stage, target=self.api.alias, token_check=check)
        self.observability = self._observability()
        self._outputs()
        self._tag()

    def _tag(self) -> None:
        told = self._stage.operations.tags
        for name, value in {**told, "Stage": self._stage.name}.items() if told else ():
            Tags.of(self).add(name, value)

    @property
    def availability_zones(self) -> list[str]:
        """The region's first two, which CloudFormation looks up: CDK would ask AWS at synthesis."""
        return [Fn.select(place, Fn.get_azs()) for place in range(2)]

    def _release(self, workspace: Workspace) -> Release:
        release = Release(
            self,
            "Release",
            stage=self._stage,
            code=controller(workspace, self._stage.target),
            environment=self._environment("rollout"),
            network=self.network,
        )
        if self.cache:
            release.judge.add_to_role_policy(
                iam.PolicyStatement(actions=["elasticache:Connect"], resources=self.cache.connect_arns)
            )
        migrate = self.migration.function
        release.govern({"http": self.api, "queue": self.worker}, self.tables.tidegate.table_arn, migrate)
        return release

    def _deployment(self, workspace: Workspace) -> Deployment:
        code = controller(workspace, self._stage.target)
        deployment = Deployment(self, "Deployment", stage=self._stage, code=code)
        deployment.govern({"http": self.api, "queue": self.worker}, self.migration.function)
        return deployment

    def _migration(self, workspace: Workspace, layers: Layers) -> Migration:
        migration = Migration(
            self,
            "migrate",
            stage=self._stage,
            code=function_code(workspace, "migrate", self._stage.target),
            layers=layers,
            environment=self._environment("migrate"),
        )
        migration.migrate(self.tables)
        return migration

    def _cache(self) -> Cache | None:
        if self.network is None or self._stage.cache_limits is None:
            return None
        name = f"tidegate-{self._stage.name}"
        return Cache(self, "Cache", name=name, network=self.network, limits=self._stage.cache_limits)

    def _observability(self) -> Observability | None:
        if self._stage.alarms is None:
            return None
        thresholds = self._stage.alarms
        return Observability(
            self,
            "Observability",
            measures=Measures(
                gateway=self.gateway,
                function=self.api,
                service=self._stage.service(SERVICE),
                least_requests=thresholds.least_requests,
            ),
            stage=self._stage,
            thresholds=thresholds,
            stores=Stores(self.tables.all(), self.cache.name if self.cache else None),
            backlog=Backlog(self.overflow.queue, self.overflow.dead_letters),
        )

    def _environment(self, service: str) -> dict[str, str]:
        """Configure the library and the shop of one function."""
        values = {
            "TIDEGATE_NAMESPACE": self._stage.name,
            "TIDEGATE_TABLE": self.tables.tidegate.table_name,
            "TIDEGATE_PRODUCTS_TABLE": self.tables.products.table_name,
            "TIDEGATE_ORDERS_TABLE": self.tables.orders.table_name,
            "TIDEGATE_REDIS_URL": self.cache.url if self.cache else self._stage.redis_url,
            "TIDEGATE_REDIS_CLUSTER": "1" if self.cache else None,
            "TIDEGATE_REDIS_IAM_USER": self.cache.user if self.cache else None,
            "TIDEGATE_REDIS_IAM_CACHE": self.cache.name if self.cache else None,
            "TIDEGATE_TRUST_API_KEY_HEADER": "1" if self._stage.trust_api_key_header else None,
            "TIDEGATE_PRINCIPAL_SECRET": self._stage.principal_secret,
            "TIDEGATE_DECISION_BUDGET_MS": str(self._stage.decision_budget_ms or "") or None,
            "TIDEGATE_SHED_WAIT_MS": self._stage.shed_wait_ms,
            "TIDEGATE_SHED_DATABASE_MS": self._stage.shed_database_ms,
            "TIDEGATE_QUEUE_URL": self.overflow.queue.queue_url,
            "TIDEGATE_HEALTH_DETAILS": "all" if self._stage.open_health else None,
            "TIDEGATE_CORS_ORIGINS": ",".join(self._stage.cors.origins) if self._stage.cors else None,
            "POWERTOOLS_SERVICE_NAME": self._stage.service(service),
            "POWERTOOLS_METRICS_NAMESPACE": "Tidegate",
        }
        return {name: value for name, value in values.items() if value is not None}

    def _grant(self, function: LiveFunction) -> None:
        """Let a function do what the shop's application does; the worker runs the same one."""
        tables = self.tables
        for statement in library_items.statements(tables.tidegate.table_arn, self._stage.name):
            function.role.add_to_policy(statement)
        function.allow(_PRODUCTS_ACTIONS, [tables.products.table_arn])
        function.allow(_ORDERS_ACTIONS, [tables.orders.table_arn])
        function.allow(["dynamodb:Query"], [f"{tables.orders.table_arn}/index/{ORDERS_BY_OWNER}"])
        if self.cache:
            function.allow(["elasticache:Connect"], self.cache.connect_arns)

    def _outputs(self) -> None:
        outputs = {
            "ApiId": self.gateway.api.rest_api_id,
            "StageName": STAGE_NAME,
            "ApiUrl": self.gateway.url,
            "FunctionName": self.api.function.function_name,
            "AliasName": self.api.alias.alias_name,
            "WorkerName": self.worker.function.function_name,
            "WorkerLogGroupName": self.worker.log_group.log_group_name,
            "MigrateName": self.migration.function.function_name,
            "QueueUrl": self.overflow.queue.queue_url,
            "DeadLetterUrl": self.overflow.dead_letters.queue_url,
            "LogGroupName": self.api.log_group.log_group_name,
            **({"DomainTarget": self.gateway.domain.target} if self.gateway.domain else {}),
            **({"ReleaseMachine": self.release.machine.attr_arn} if self.release else {}),
            "TidegateTable": self.tables.tidegate.table_name,
            "ProductsTable": self.tables.products.table_name,
            "OrdersTable": self.tables.orders.table_name,
        }
        keys = {f"{named(tier)}KeyId": key.key_id for tier, key in self.gateway.keys.items()}
        for name, value in {**outputs, **keys}.items():
            CfnOutput(self, name, value=value)

"""A protected API: its edge, its function behind an alias, tables, queue, cache, release, and what is watched."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from aws_cdk import Duration, RemovalPolicy, Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from tidegate_cdk.api import library_items
from tidegate_cdk.api.application_table import ApplicationTable
from tidegate_cdk.api.cache import Cache
from tidegate_cdk.api.cache_limits import CacheLimits
from tidegate_cdk.api.checked_name import checked_name
from tidegate_cdk.api.chosen_release import chosen
from tidegate_cdk.api.codedeploy import Deployment
from tidegate_cdk.api.cors import Cors
from tidegate_cdk.api.edge import Edge
from tidegate_cdk.api.function import ALIAS, LiveFunction, Platform, Program, plain_function
from tidegate_cdk.api.gateway import PLANS, Front, Gateway
from tidegate_cdk.api.heard import check_alarms, check_alone, check_heard, check_lists, check_stack_name, check_told
from tidegate_cdk.api.keeping import Keeping
from tidegate_cdk.api.measures import Backlog, Measures
from tidegate_cdk.api.migrations import Migrations
from tidegate_cdk.api.network import Network, Place
from tidegate_cdk.api.observability import Observability
from tidegate_cdk.api.operations import Operations
from tidegate_cdk.api.overflow import Overflow
from tidegate_cdk.api.own_arns import own_function
from tidegate_cdk.api.paths import Paths
from tidegate_cdk.api.queue import Queue
from tidegate_cdk.api.rates import Rates
from tidegate_cdk.api.redis import ExistingRedis
from tidegate_cdk.api.release import Ordered, Release
from tidegate_cdk.api.sizing import Sizing
from tidegate_cdk.api.store_measures import Stores
from tidegate_cdk.api.thresholds import Thresholds
from tidegate_cdk.controller import controller as shipped_controller
from tidegate_cdk.edge_throttles import Plan
from tidegate_cdk.layer import TidegateLayer
from tidegate_cdk.released import Question
from tidegate_cdk.rollout import Rollout
from tidegate_cdk.setting_error import SettingError
from tidegate_cdk.table import TidegateTable, check_key

_NOTHING: Mapping[str, str] = MappingProxyType({})


class ProtectedApi(Construct):
    """A REST API in front of a function that runs Tidegate's library, and everything that both need.

    Functions, alarms and the dashboard are named after the stack, so that a stack has one of these.

    Attributes:
        gateway: the edge; `gateway.api` is API Gateway's REST API, `gateway.keys` are the plans' keys.
        api: the function and its alias, which the edge calls; `api.allow` lets it do more.
        worker: the function that runs what is queued; None without a queue.
        overflow: the queue and its dead letters; None without one.
        table: the library's table.
        cache: the serverless cache that was made; None where Redis is elsewhere or there is none.
        network: the VPC that was made for it, or None.
        migrate: the function that migrates, or None.
        release: the release's machine; None with CodeDeploy, or without a release.
        deployment: CodeDeploy's part, or None.
        observability: dashboard and alarms, or None.
        namespace: the library's TIDEGATE_NAMESPACE.
    """

    def __init__(  # noqa: PLR0913 - a part of the API each, and all but the first two have a default
        self,
        scope: Construct,
        construct_id: str,
        *,
        code: str | lambda_.Code,
        handler: str,
        layers: Sequence[lambda_.ILayerVersion] = (),
        library: bool = True,
        environment: Mapping[str, str] = _NOTHING,
        name: str | None = None,
        namespace: str | None = None,
        service: str = "{function}",
        metrics_namespace: str = "Tidegate",
        runtime: lambda_.Runtime = lambda_.Runtime.PYTHON_3_13,
        architecture: lambda_.Architecture = lambda_.Architecture.ARM_64,
        sizing: Sizing | None = None,
        keeping: Keeping | None = None,
        table: dynamodb.ITable | None = None,
        tables: Sequence[ApplicationTable] = (),
        cache: CacheLimits | ExistingRedis | None = CacheLimits(),  # noqa: B008 - it is frozen
        async_refresh: bool = False,
        queue: Queue | None = None,
        paths: Paths | None = None,
        plans: Mapping[str, Plan] | None = PLANS,
        rates: Rates | None = None,
        edge: Edge | None = None,
        cors: Cors | None = None,
        binary_media_types: Sequence[str] = ("*/*",),
        release: Rollout | str | None = "canary",
        smoke: Sequence[Question] = (),
        migrations: Migrations | None = None,
        controller: lambda_.Code | None = None,
        observability: Thresholds | None = Thresholds(),  # noqa: B008 - it is frozen
        operations: Operations | None = None,
    ) -> None:
        """Make it.

        Args:
            scope: where it is made.
            construct_id: its name there.
            code: the function's, as a folder, an archive or CDK's code; what it imports is in it or in `layers`.
            handler: the function's, such as app.handler, which is lambda_handler(app).
            layers: those of the functions, such as one of `tidegate layer build`; the last may replace a package.
            library: whether the library's layer is added after them; False where `code` or `layers` have it.
            environment: further variables of all functions.
            name: the API's and the cache's; by default the stack's, in lower case.
            namespace: the library's, which keeps several APIs in one Redis apart; by default the name.
            service: the functions' in lines and metrics; {function} stands for api, worker, migrate and rollout.
            metrics_namespace: that of the library's metrics.
            runtime: the functions' Python.
            architecture: the functions' processor.
            sizing: memory, time, concurrency, SnapStart of the API's function.
            keeping: what outlives the stack, and for how long logs are kept.
            table: the library's, which is made without it: encrypted, restorable, kept.
            tables: the application's own, with what the functions may do to them.
            cache: caps of a serverless Valkey in a VPC without a way out; a Redis that exists; or None: DynamoDB
                decides.
            async_refresh: whether the function may invoke itself, for copies that are refreshed behind a response.
            queue: the worker of what limits refuse, and its queue; None: nothing is queued.
            paths: what is served, and which paths are open.
            plans: the tiers' usage plans and keys; {} asks for keys and makes no plan, None asks for no key.
            rates: the edge's throttles, in all and of single methods.
            edge: the firewall, who may call, the domain, access logs, tracing.
            cors: the pages of other origins that may read the answers.
            binary_media_types: what the edge hands on as bytes; () has text alone.
            release: a strategy, such as "linear" or "5,25", or weights and times; None: a deploy moves the aliases at
                once, and a JudgedRelease of your own may have them.
            smoke: what a new version is asked before any client reaches it; by default nothing.
            migrations: the function that changes a schema around a release.
            controller: the code that leads releases, in place of the package's.
            observability: from what on alarms ring; None: neither alarms nor a dashboard.
            operations: who hears of alarms, and a budget.

        Raises:
            SettingError: a setting has a value that it doesn't take, or two exclude each other.
            StrategyError: `release` is no strategy.
            ReleaseTimeError: the release's steps don't fit into CloudFormation's hour.
            ArchiveMissingError: the package was installed without its archives.
        """
        super().__init__(scope, construct_id)
        check_alone(self)
        check_stack_name(self)
        check_lists(layers=layers, tables=tables, binary_media_types=binary_media_types)
        check_heard(release is None, smoke=smoke, controller=controller)
        check_told(observability is None, operations)
        self.name = checked_name(name, Stack.of(self).stack_name)
        self.namespace = namespace or self.name
        self._service, self._metrics_namespace = service, metrics_namespace
        sizing, keeping, edge = sizing or Sizing(), keeping or Keeping(), edge or Edge()
        rollout = chosen(release)
        sizing.check(rollout)
        self._rollout = rollout
        self._platform = Platform(runtime, architecture, keeping, tracing=edge.tracing)
        if table is not None:
            check_key(table)
        self.table = table or TidegateTable(
            self, "Table", removal_policy=keeping.removal, deletion_protection=keeping.protected
        )
        self._tables = tables
        self.network = self._network(cache, keeping, async_refresh=async_refresh)
        self.cache = self._cache(cache)
        self._redis = cache if isinstance(cache, ExistingRedis) else None
        place = self._place()
        self.overflow = Overflow(self, "Overflow", settings=queue) if queue else None
        self._cors = cors
        self._further = environment
        code = lambda_.Code.from_asset(code) if isinstance(code, str) else code
        loaded = [*layers, *([TidegateLayer(self, "Library", architecture=architecture)] if library else [])]
        self.api = self._live(
            Program(
                name="api",
                handler=handler,
                code=code,
                layers=loaded,
                timeout=Duration.seconds(sizing.timeout_s),
                environment=self._environment("api"),
            ),
            sizing,
            place,
        )
        self.worker = self._worker(queue, sizing, place, code, loaded) if queue else None
        for function in self._released().values():
            self._grant(function)
        if async_refresh:
            self.api.allow(["lambda:InvokeFunction"], [own_function(self, "api", ALIAS)])
        if self.network:
            queues = [self.overflow.queue, self.overflow.dead_letters] if self.overflow else []
            self.network.lead_to(self._all_tables(), queues)
        if self.overflow and self.worker:
            self.overflow.accept_from(self.api)
            self.overflow.feed(self.worker)
        self.migrate = self._migrate(migrations, code, loaded) if migrations else None
        self.release: Release | None = None
        self.deployment: Deployment | None = None
        if rollout:
            self._release(rollout, controller, place, smoke, watched=observability is not None)
        front = Front(
            self.name,
            paths or Paths(),
            edge,
            rates or Rates(),
            plans,
            cors,
            tuple(binary_media_types),
        )
        self.gateway = Gateway(self, "Gateway", front=front, target=self.api.alias, keeping=keeping)
        self.observability = self._observability(observability, operations or Operations()) if observability else None
        if rollout and self.observability:
            check_alarms(rollout.alarms, self.observability)

    @property
    def url(self) -> str:
        """Where the API is reached."""
        return self.gateway.url

    def _network(self, cache: object, keeping: Keeping, *, async_refresh: bool) -> Network | None:
        if not isinstance(cache, CacheLimits):
            return None
        return Network(self, "Network", keeping=keeping, async_refresh=async_refresh)

    def _cache(self, cache: object) -> Cache | None:
        if self.network is None or not isinstance(cache, CacheLimits):
            return None
        return Cache(self, "Cache", name=self.name, network=self.network, limits=cache)

    def _place(self) -> Place | None:
        """Where the functions run, to reach their Redis."""
        if self.network:
            return self.network.place
        return self._redis.place if self._redis else None

    def _live(self, program: Program, sizing: Sizing, place: Place | None) -> LiveFunction:
        # LocalStack knows no exception to what is kept, and rolls nothing back itself.
        two_deploys = self._rollout is not None and self._rollout.by == "two-deploys"
        return LiveFunction(
            self,
            platform=self._platform,
            program=program,
            sizing=sizing,
            place=place,
            versions=RemovalPolicy.RETAIN if two_deploys else RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
        )

    def _worker(
        self,
        queue: Queue,
        sizing: Sizing,
        place: Place | None,
        code: lambda_.Code,
        layers: Sequence[lambda_.ILayerVersion],
    ) -> LiveFunction:
        dead_letters = {"TIDEGATE_DEAD_LETTER_URL": self.overflow.dead_letters.queue_url} if self.overflow else {}
        program = Program(
            name="worker",
            handler=queue.handler,
            code=queue.code or code,
            layers=layers if queue.layers is None else queue.layers,
            timeout=Duration.seconds(queue.timeout_s),
            environment=self._environment("worker") | dead_letters,
        )
        # Its event source caps its concurrency.
        return self._live(program, Sizing(memory_mb=sizing.memory_mb, snap_start=sizing.snap_start), place)

    def _migrate(
        self, settings: Migrations, code: lambda_.Code, layers: Sequence[lambda_.ILayerVersion]
    ) -> lambda_.Function:
        program = Program(
            name="migrate",
            handler=settings.handler,
            code=settings.code or code,
            layers=layers if settings.layers is None else settings.layers,
            timeout=Duration.seconds(settings.timeout_s),
            environment=self._environment("migrate"),
        )
        return plain_function(Construct(self, "migrate"), "", platform=self._platform, program=program)

    def _released(self) -> dict[str, LiveFunction]:
        """The functions that are released together, by what serves them."""
        return {"http": self.api, **({"queue": self.worker} if self.worker else {})}

    def _release(
        self,
        rollout: Rollout,
        code: lambda_.Code | None,
        place: Place | None,
        smoke: Sequence[Question],
        *,
        watched: bool,
    ) -> None:
        """Have a new version's traffic shifted by the release's machine, or by CodeDeploy."""
        code = code or lambda_.Code.from_asset(str(shipped_controller()))
        # Its packages are tried on this Python.
        platform = replace(self._platform, runtime=lambda_.Runtime.PYTHON_3_13)
        ordered = Ordered(self.namespace, rollout, self._released(), self.migrate, smoke)
        # They may be made after it, so that it doesn't refer to them.
        alarms = [f"{Stack.of(self).stack_name}-{name}" for name in rollout.alarms] if watched else []
        if rollout.by == "codedeploy":
            # A deployment into an incident has none: one that rings would stop it at once, and the questions remain.
            alarms = [] if rollout.into_incident else alarms
            self.deployment = Deployment(self, "Deployment", platform=platform, code=code, alarms=alarms)
            self.deployment.govern(ordered)
            return
        self.release = Release(
            self,
            "Release",
            platform=platform,
            code=code,
            environment=self._environment("rollout"),
            place=place,
            alarms=alarms,
        )
        if self.cache:
            self.release.judge.add_to_role_policy(
                iam.PolicyStatement(actions=["elasticache:Connect"], resources=self.cache.connect_arns)
            )
        self.release.govern(ordered, self.table)

    def _observability(self, thresholds: Thresholds, operations: Operations) -> Observability:
        overflow = self.overflow
        return Observability(
            self,
            "Observability",
            measures=Measures(
                gateway=self.gateway,
                function=self.api,
                namespace=self._metrics_namespace,
                service=self._service.replace("{function}", "api"),
                least_requests=thresholds.least_requests,
            ),
            thresholds=thresholds,
            stores=Stores(self._all_tables(), self.cache, redis=self.cache is not None or self._redis is not None),
            backlog=Backlog(overflow.queue, overflow.dead_letters) if overflow else None,
            operations=operations,
        )

    def _all_tables(self) -> list[dynamodb.ITable]:
        return [self.table, *(own.table for own in self._tables)]

    def _grant(self, function: LiveFunction) -> None:
        """Let a function do what the library and the application do; the worker runs the same one."""
        for statement in library_items.statements(self.table.table_arn, self.namespace):
            function.role.add_to_policy(statement)
        for own in self._tables:
            for actions, arn in own.grants():
                function.allow(actions, [arn])
        for table in self._all_tables():
            if table.encryption_key:
                table.encryption_key.grant_encrypt_decrypt(function.role)
        if self.cache:
            function.allow(["elasticache:Connect"], self.cache.connect_arns)

    def _environment(self, function: str) -> dict[str, str]:
        """Configure the library and the application of one function."""
        said = list(self._variables(function))
        ours = dict(said)
        if len(ours) < len(said):
            names = [name for name, _ in said]
            twice = next(name for name in names if names.count(name) > 1)
            raise SettingError(f"tables have variable={twice!r}, which is said already: write one for each table")
        if taken := sorted(ours.keys() & self._further.keys()):
            raise SettingError(
                f"environment has {', '.join(taken)}, which ProtectedApi's own arguments say: leave it away"
            )
        return {**ours, **self._further}

    def _variables(self, function: str) -> Iterator[tuple[str, str]]:
        yield "TIDEGATE_NAMESPACE", self.namespace
        yield "TIDEGATE_TABLE", self.table.table_name
        for own in self._tables:
            if own.variable:
                yield own.variable, own.table.table_name
        if self.cache:
            yield "TIDEGATE_REDIS_URL", self.cache.url
            yield "TIDEGATE_REDIS_IAM_USER", self.cache.user
            yield "TIDEGATE_REDIS_IAM_CACHE", self.cache.name
        if self._redis:
            yield "TIDEGATE_REDIS_URL", self._redis.url
        if self.cache or (self._redis and self._redis.cluster):
            yield "TIDEGATE_REDIS_CLUSTER", "1"
        if self.overflow:
            yield "TIDEGATE_QUEUE_URL", self.overflow.queue.queue_url
        if self._cors:
            yield "TIDEGATE_CORS_ORIGINS", ",".join(self._cors.origins)
        yield "POWERTOOLS_SERVICE_NAME", self._service.replace("{function}", function)
        yield "POWERTOOLS_METRICS_NAMESPACE", self._metrics_namespace

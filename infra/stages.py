"""The stages: every choice that differs between the local cloud and AWS, one frozen value for each."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Literal

from infra.cors import Cors
from infra.edge import Edge, Firewall
from infra.operations import Operations
from infra.stage_error import StageError
from infra.targets import HOST, LAMBDA_ARM64, Target
from tidegate_cdk import edge_throttles, release_time
from tidegate_cdk.edge_throttles import Plan, Throttle, TierError
from tidegate_cdk.rollout import Rollout
from tidegate_cdk.strategy import CODEDEPLOY_CANARY, StrategyError, shift, weights

# API Gateway waits no longer for an answer, and Lambda lets a function run no longer.
LONGEST_ANSWER_S = 29
_LONGEST_RUN_S = 900
# How long a step of CodeDeploy's lasts without step_s: its alarms look at five minutes.
_CODEDEPLOY_STEP_S = 300
# What a stage's settings take, each with a bucket of its own; ANY stands for all of them.
VERBS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")
METHODS = (*VERBS, "ANY")


@dataclass(frozen=True)
class CacheLimits:
    """Caps on what ElastiCache Serverless may cost: stored data in GB, and its compute units a second.

    The `least_…` are kept ready, and paid for, without traffic. A cache takes 30,000 units a second at once and twice
    as many ten minutes later, so that a minimum is for storms that are above that from their first second on.
    """

    data_gb: int
    ecpu_per_s: int
    least_data_gb: int | None = None
    least_ecpu_per_s: int | None = None

    def __post_init__(self) -> None:
        """Refuse a minimum above the maximum."""
        for name, most in (("data_gb", self.data_gb), ("ecpu_per_s", self.ecpu_per_s)):
            least = getattr(self, f"least_{name}")
            if least is not None and not 1 <= least <= most:
                raise StageError(f"cache_limits has least_{name}={least}: write 1 to {most}, its {name}, or None")


@dataclass(frozen=True)
class Warm:
    """What the library's table takes from its first second on, in units a second; an on-demand table has 4000 writes.

    While Redis is away, decisions and claims share it.
    """

    reads_per_s: int
    writes_per_s: int


@dataclass(frozen=True)
class Thresholds:
    """From what on an alarm rings: shares from 0 to 1 of one minute's requests, in three minutes of five.

    `least_requests` is how many a minute must have for a share to say anything. `stores_lost` and `throttles` are
    counts of a minute: environments that opened a breaker, and invocations that Lambda refused. `dead_letters` and
    `oldest_message_s` are of the overflow queue, where there is one. `table_throttles` are
    refused calls of DynamoDB's in a minute; `limit_share` is of what the account, the cache and the edge take at most.
    `topic` makes an SNS topic that is told.
    """

    least_requests: int = 50
    server_error_share: float = 0.02
    latency_p95_ms: int = 1000
    fallback_share: float = 0.05
    shed_share: float = 0.05
    stores_lost: int = 3
    throttles: int = 10
    dead_letters: int = 1
    oldest_message_s: int = 300
    table_throttles: int = 10
    limit_share: float = 0.8
    topic: bool = True


@dataclass(frozen=True)
class Stage:
    """The settings of one stage.

    `redis_url` is of a Redis that exists; None makes a serverless cache within `cache_limits`, in a VPC.
    `reserved_concurrency` None leaves a function in the account's common pool.
    `trust_api_key_header` is for engines whose events carry no API key id: there `principal_secret` keys the
    hash of the header which stands in for it.
    `decode_method_paths` is for engines that compare the paths of method throttles as they are written, where
    CloudFormation writes `~1` for each slash.
    `decision_budget_ms` None leaves a decision the library's own time; a laptop on which the engine, the stores and
    all environments share a few cores needs more, or a moment's load is taken for an outage. `shed_wait_ms`
    and `shed_database_ms` likewise: there requests wait while other environments start, and so do calls.
    `alarms` None makes neither alarms nor a dashboard: the local engine takes no metrics out of the logs.
    `layers_in_zips` is for engines that record a function's layers but don't load them.
    `worker_timeout_s` is a worker's for a batch, of which it begins nothing in the last third, so that a request has
    as long as in the API; `worker_concurrency` caps the batches at once (at least 2, says SQS).
    `log_retention` is a name of CDK's RetentionDays; `keep_data` retains tables and logs when the stack goes.
    `health_throttle` is for each method of each health path, which need no key. `open_health` shows the details of the
    API's health to all, where nobody else can ask.
    `provisioned` environments of the API are kept started, at its alias; None: all start on demand. `snap_start` has
    them start from a snapshot, of published versions. Lambda takes neither both nor weights beside the former.
    `timeout_s` is of an answer: at most 29 seconds, for API Gateway waits no longer.
    `binary_media_types` are what the edge hands on as bytes: by default all, so that a compressed answer, a picture or
    a form's file comes out as it went in. Bodies travel to Lambda in Base64 then, whose 6 MB hold 4.5 MB of them; ()
    has text alone. `cors` None lets no page of another origin read an answer.
    `plans` are the tiers: each has a usage plan and an API key of its own.
    `env` is one of several environments in an account: it is a part of `name`, and so of every physical name; None is
    the only one. `account` and `region` None are those of whoever deploys. `first_deploy` leaves out what keeps a
    stack and its tables from being deleted: a create that fails is then taken back whole.
    `async_refresh` lets the API invoke itself, for caches with refresh="async"; in a network that takes an endpoint.
    """

    name: str
    target: Target
    redis_url: str | None
    cache_limits: CacheLimits | None
    memory_mb: int
    timeout_s: int
    reserved_concurrency: int | None
    log_retention: Literal["ONE_DAY", "ONE_MONTH"]
    keep_data: bool
    trust_api_key_header: bool
    principal_secret: str | None
    decode_method_paths: bool
    decision_budget_ms: int | None
    shed_wait_ms: str | None
    shed_database_ms: str | None
    alarms: Thresholds | None = None
    layers_in_zips: bool = False
    release: Rollout = field(default_factory=Rollout)
    worker_timeout_s: int = 60
    worker_concurrency: int = 10
    provisioned: int | None = None
    snap_start: bool = False
    binary_media_types: tuple[str, ...] = ("*/*",)
    cors: Cors | None = None
    env: str | None = None
    account: str | None = None
    region: str | None = None
    first_deploy: bool = False
    edge: Edge = field(default_factory=Edge)
    operations: Operations = field(default_factory=Operations)
    warm: Warm | None = None
    async_refresh: bool = False
    throttle: Throttle = field(default=Throttle(rate_per_s=2000, burst=4000))
    health_throttle: Throttle = field(default=Throttle(rate_per_s=20, burst=40))
    open_health: bool = False
    # The expensive methods, by their paths with the verb: each has a bucket of its own at the edge.
    method_throttles: Mapping[str, Throttle] = field(
        default_factory=lambda: MappingProxyType(
            {
                "/v1/reports/sales/GET": Throttle(rate_per_s=5, burst=10),
                "/v1/exports/POST": Throttle(rate_per_s=10, burst=20),
            }
        )
    )
    plans: Mapping[str, Plan] = field(
        default_factory=lambda: MappingProxyType(
            {
                "free": Plan(Throttle(rate_per_s=20, burst=60), quota_per_day=10_000),
                "pro": Plan(Throttle(rate_per_s=100, burst=200), quota_per_day=1_000_000),
                "internal": Plan(Throttle(rate_per_s=1000, burst=2000), quota_per_day=None),
            }
        )
    )

    @property
    def protected(self) -> bool:
        """Whether the stack and its tables refuse to be deleted."""
        return self.keep_data and not self.first_deploy

    def service(self, name: str) -> str:
        """Name a function's service in lines and metrics: environments of one account are told apart by it."""
        return f"{name}-{self.env}" if self.env else name

    def __post_init__(self) -> None:
        """Refuse what AWS would refuse in the middle of a deployment, or do otherwise than it was meant."""
        self._check_times()
        self._check_edge()
        self._check_release()
        if self.provisioned is None:
            return
        if self.snap_start:
            raise StageError(
                f"stage {self.name} has both provisioned concurrency and SnapStart, which exclude each other: write "
                "snap_start=False, or provisioned=None"
            )
        if self.release.weights:
            raise StageError(
                f"stage {self.name} has provisioned concurrency, and an alias that has it takes no weights: use "
                "-c strategy=all-at-once, or write provisioned=None (with snap_start=True, say)"
            )
        most = self.reserved_concurrency
        if self.provisioned < 1 or (most is not None and self.provisioned > most):
            up_to = "1 or more" if most is None else f"1 to {most}, its reserved_concurrency"
            raise StageError(f"stage {self.name} has provisioned={self.provisioned}: write {up_to}, or None")

    def _check_times(self) -> None:
        if not 1 <= self.timeout_s <= LONGEST_ANSWER_S:
            raise StageError(
                f"stage {self.name} has timeout_s={self.timeout_s}: write 1 to {LONGEST_ANSWER_S}, as long as API "
                "Gateway waits for an answer. What takes longer goes to the queue (overflow); see worker_timeout_s"
            )
        if not 1 <= self.worker_timeout_s <= _LONGEST_RUN_S:
            raise StageError(
                f"stage {self.name} has worker_timeout_s={self.worker_timeout_s}: write 1 to {_LONGEST_RUN_S}, as long "
                "as Lambda lets a function run"
            )

    def _check_release(self) -> None:
        if self.release.by == "codedeploy":
            return
        try:
            release_time.check(self.release)
        except release_time.ReleaseTimeError as error:
            raise StageError(f"stage {self.name}: {error}") from error

    def _check_edge(self) -> None:
        try:
            edge_throttles.check(self.plans)
        except TierError as error:
            raise StageError(f"stage {self.name}: {error}") from error
        for method in self.method_throttles:
            path, slash, verb = method.rpartition("/")
            if not (slash and path.startswith("/") and verb in METHODS):
                raise StageError(
                    f"stage {self.name} has a throttle for {method!r}: write the path, then one of "
                    f"{', '.join(METHODS)}, such as /v1/exports/POST"
                )


LOCAL = Stage(
    name="local",
    target=HOST,
    redis_url="redis://127.0.0.1:6379/0",
    cache_limits=None,
    memory_mb=512,
    timeout_s=20,
    reserved_concurrency=None,
    log_retention="ONE_DAY",
    keep_data=False,
    trust_api_key_header=True,
    principal_secret="the local cloud keeps no secrets",  # noqa: S106 - it only has to be the same everywhere
    decode_method_paths=True,
    decision_budget_ms=1000,
    shed_wait_ms="5000-25000",
    shed_database_ms="2000-10000",
    # Its clients are the demos and the tests, whose fleets warm themselves by it.
    health_throttle=Throttle(rate_per_s=1000, burst=2000),
    open_health=True,
    # A laptop's traffic proves little, and whoever edits the code doesn't want to wait.
    release=Rollout(
        weights=(10, 50),
        look_s=1,
        least_s=2,
        most_s=4,
        last_most_s=4,
        last_unproven="advance",
        hold_s=60,
        bake_s=0,
        settle_s=1,
        stretch_s=5,
        replay_per_s=0,
        warm=2,
        keep=5,
    ),
)
AWS = Stage(
    name="aws",
    target=LAMBDA_ARM64,
    redis_url=None,
    cache_limits=CacheLimits(data_gb=5, ecpu_per_s=50_000),
    memory_mb=1769,  # one whole vCPU: cold starts are bound by it
    timeout_s=20,
    reserved_concurrency=100,  # AWS wants 100 more to stay in the pool; -c reserved_concurrency= says otherwise
    log_retention="ONE_MONTH",
    keep_data=True,
    trust_api_key_header=False,
    principal_secret=None,
    decode_method_paths=False,
    decision_budget_ms=None,
    shed_wait_ms=None,
    shed_database_ms=None,
    alarms=Thresholds(),
    edge=Edge(firewall=Firewall(), access_logs=True, tracing=True),
    operations=Operations(tags=MappingProxyType({"Application": "tidegate"})),
    # The stage's 2000 requests a second, each with two limits in a transaction and a claim.
    warm=Warm(reads_per_s=12_000, writes_per_s=12_000),
)
STAGES: Mapping[str, Stage] = MappingProxyType({stage.name: stage for stage in (LOCAL, AWS)})


def select(
    name: object,
    redis_url: object = None,
    strategy: object = None,
    step_s: object = None,
    rollout: object = None,
    *,
    into_incident: object = None,
) -> Stage:
    """Pick a stage by the values of the CDK context; raises StageError, saying what is taken instead.

    `strategy` is a name or a list of weights; `step_s` is for how many seconds a step may last without proof;
    `rollout` says who shifts the traffic: tidegate, or codedeploy; `into_incident` why a release begins though alarms
    ring.
    """
    stage = STAGES.get(str(name))
    if stage is None:
        raise StageError(f"there is no stage {name!r}: use -c stage={' or -c stage='.join(STAGES)}")
    release = _paced(_released_by(stage, strategy, rollout), step_s)
    if into_incident:
        release = replace(release, into_incident=_reason(str(into_incident)))
    if release != stage.release:
        stage = replace(stage, release=release)
    if not redis_url:
        return stage
    if stage.redis_url is None:
        raise StageError(f"stage {stage.name} makes a cache of its own and takes no redis_url")
    if not str(redis_url).startswith(("redis://", "rediss://")):
        raise StageError(f"redis_url is {redis_url!r}: it must start with redis:// or rediss://")
    return replace(stage, redis_url=str(redis_url))


def _released_by(stage: Stage, strategy: object, rollout: object) -> Rollout:
    release = stage.release
    try:
        if strategy:
            release = replace(release, weights=weights(str(strategy)))
        return _rolled_out_by(stage, release, str(rollout), str(strategy or "canary")) if rollout else release
    except StrategyError as error:
        raise StageError(str(error)) from error


def _rolled_out_by(stage: Stage, release: Rollout, rollout: str, strategy: str) -> Rollout:
    if rollout == "tidegate":
        return release
    if rollout != "codedeploy":
        raise StageError(f"rollout is {rollout!r}: it takes tidegate or codedeploy")
    if stage.name == LOCAL.name:
        raise StageError(f"stage {stage.name} takes no rollout=codedeploy: its engine has no CodeDeploy")
    release = replace(release, by="codedeploy", most_s=_CODEDEPLOY_STEP_S)
    if strategy == "canary":
        release = replace(release, weights=CODEDEPLOY_CANARY)
    shift(release.weights)
    return release


def _paced(release: Rollout, step_s: object) -> Rollout:
    if not step_s:
        return release
    if not str(step_s).isdigit() or not 0 < int(str(step_s)) < 3600:
        raise StageError(f"step_s is {step_s!r}: it takes whole seconds, less than an hour")
    seconds = int(str(step_s))
    return release_time.paced(release, seconds)


def _reason(text: str) -> str:
    """Take a reason that says something: it is what is read when the release is looked back at."""
    words = " ".join(text.split())
    if not any(letter.isalnum() for letter in words) or len(words) > 500:
        raise StageError(f"into_incident is {text!r}: it takes the reason in words, 500 letters at most")
    return words

"""The stages: every choice that differs between the local cloud and AWS, one frozen value for each."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Literal

from aws_cdk import aws_logs as logs

from tidegate_build.targets import HOST, LAMBDA_ARM64, Target
from tidegate_cdk import edge_throttles, release_time
from tidegate_cdk.api.cache_limits import CacheLimits
from tidegate_cdk.api.cors import Cors
from tidegate_cdk.api.edge import Edge, check_callers
from tidegate_cdk.api.gateway import PLANS
from tidegate_cdk.api.keeping import Keeping
from tidegate_cdk.api.operations import Operations
from tidegate_cdk.api.queue import Queue
from tidegate_cdk.api.rates import Rates
from tidegate_cdk.api.sizing import Sizing
from tidegate_cdk.api.thresholds import Thresholds
from tidegate_cdk.edge_throttles import Plan, Throttle, TierError
from tidegate_cdk.project.tokens import Tokens
from tidegate_cdk.rollout import Rollout
from tidegate_cdk.setting_error import SettingError
from tidegate_cdk.strategy import CODEDEPLOY_CANARY, StrategyError, shift, weights

# How long a step of CodeDeploy's lasts without step_s: its alarms look at five minutes.
_CODEDEPLOY_STEP_S = 300


@dataclass(frozen=True)
class Warm:
    """What the library's table takes from its first second on, in units a second; an on-demand table has 4000 writes.

    While Redis is away, decisions and claims share it.
    """

    reads_per_s: int
    writes_per_s: int


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
    `plans` are the tiers: each has a usage plan and an API key of its own. `tokens` are those that the edge asks for
    beside a key. `tags` are for every resource that takes any.
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
    method_throttles: Mapping[str, Throttle] = field(default_factory=lambda: MappingProxyType({}))
    plans: Mapping[str, Plan] = field(default_factory=lambda: PLANS)
    tokens: Tokens | None = None
    tags: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def keeping(self) -> Keeping:
        """What outlives the stack."""
        return Keeping(self.keep_data, self.first_deploy, logs.RetentionDays[self.log_retention])

    @property
    def sizing(self) -> Sizing:
        """How large the API's function is."""
        return Sizing(self.memory_mb, self.timeout_s, self.reserved_concurrency, self.provisioned, self.snap_start)

    @property
    def rates(self) -> Rates:
        """The edge's throttles."""
        return Rates(self.throttle, self.health_throttle, self.method_throttles, self.decode_method_paths)

    def service(self, name: str) -> str:
        """Name a function's service in lines and metrics: environments of one account are told apart by it."""
        return f"{name}-{self.env}" if self.env else name

    def queue(self, **program: Any) -> Queue:
        """Return the worker's settings; `program` is what it runs."""
        # The local engine has no TLS to enforce.
        return Queue(
            **program, timeout_s=self.worker_timeout_s, concurrency=self.worker_concurrency, enforce_ssl=self.keep_data
        )

    def __post_init__(self) -> None:
        """Refuse what AWS would refuse in the middle of a deployment, or do otherwise than it was meant."""
        try:
            self.sizing.check(self.release)
            self.queue(handler="")
        except SettingError as error:
            raise SettingError(f"stage {self.name} has {error}") from error
        try:
            edge_throttles.check(self.plans)
            self.rates  # noqa: B018 - it refuses what is no method
            if self.release.by != "codedeploy":
                release_time.check(self.release)
        except (SettingError, TierError, release_time.ReleaseTimeError) as error:
            raise SettingError(f"stage {self.name}: {error}") from error
        given = {"user_pool": bool(self.edge.user_pools), "issuer": self.tokens is not None, "iam=true": self.edge.iam}
        check_callers(given)


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
    edge=Edge(firewall=None, access_logs=False),
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
    edge=Edge(tracing=True),
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
    among: Mapping[str, Stage] = STAGES,
) -> Stage:
    """Pick a stage by the values of the CDK context; raises SettingError, saying what is taken instead.

    `strategy` is a name or a list of weights; `step_s` is for how many seconds a step may last without proof;
    `rollout` says who shifts the traffic: tidegate, or codedeploy; `into_incident` why a release begins though alarms
    ring; `among` are the stages by their names.
    """
    stage = among.get(str(name))
    if stage is None:
        raise SettingError(f"there is no stage {name!r}: use -c stage={' or -c stage='.join(among)}")
    release = _paced(_released_by(stage, strategy, rollout), step_s)
    if into_incident:
        release = replace(release, into_incident=_reason(str(into_incident)))
    if release != stage.release:
        stage = replace(stage, release=release)
    if not redis_url:
        return stage
    if stage.redis_url is None:
        raise SettingError(f"stage {stage.name} makes a cache of its own and takes no redis_url")
    if not str(redis_url).startswith(("redis://", "rediss://")):
        raise SettingError(f"redis_url is {redis_url!r}: it must start with redis:// or rediss://")
    return replace(stage, redis_url=str(redis_url))


def _released_by(stage: Stage, strategy: object, rollout: object) -> Rollout:
    release = stage.release
    try:
        if strategy:
            release = replace(release, weights=weights(str(strategy)))
        return _rolled_out_by(stage, release, str(rollout), str(strategy or "canary")) if rollout else release
    except StrategyError as error:
        raise SettingError(str(error)) from error


def _rolled_out_by(stage: Stage, release: Rollout, rollout: str, strategy: str) -> Rollout:
    if rollout == "tidegate":
        return release
    if rollout != "codedeploy":
        raise SettingError(f"rollout is {rollout!r}: it takes tidegate or codedeploy")
    if stage.name == LOCAL.name:
        raise SettingError(f"stage {stage.name} takes no rollout=codedeploy: its engine has no CodeDeploy")
    release = replace(release, by="codedeploy", most_s=_CODEDEPLOY_STEP_S)
    if strategy == "canary":
        release = replace(release, weights=CODEDEPLOY_CANARY)
    shift(release.weights)
    return release


def _paced(release: Rollout, step_s: object) -> Rollout:
    if not step_s:
        return release
    if not str(step_s).isdigit() or not 0 < int(str(step_s)) < 3600:
        raise SettingError(f"step_s is {step_s!r}: it takes whole seconds, less than an hour")
    seconds = int(str(step_s))
    return release_time.paced(release, seconds)


def _reason(text: str) -> str:
    """Take a reason that says something: it is what is read when the release is looked back at."""
    words = " ".join(text.split())
    if not any(letter.isalnum() for letter in words) or len(words) > 500:
        raise SettingError(f"into_incident is {text!r}: it takes the reason in words, 500 letters at most")
    return words

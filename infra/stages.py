"""The stages: every choice that differs between the local cloud and AWS, one frozen value for each."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Literal

from infra.strategy import CODEDEPLOY_CANARY, STRATEGIES, StrategyError, shift, weights
from infra.targets import HOST, LAMBDA_ARM64, Target


class StageError(Exception):
    """The context asks for a stage that doesn't exist, or gives it a setting that it doesn't take."""


@dataclass(frozen=True)
class Throttle:
    """A token bucket of API Gateway's: best effort, a target rather than a ceiling."""

    rate_per_s: float
    burst: int


@dataclass(frozen=True)
class Plan:
    """What an API key of a tier may ask for; `quota_per_day` None is without end."""

    throttle: Throttle
    quota_per_day: int | None


@dataclass(frozen=True)
class CacheLimits:
    """Caps on what ElastiCache Serverless may cost: stored data in GB, and its compute units a second."""

    data_gb: int
    ecpu_per_s: int


@dataclass(frozen=True)
class Thresholds:
    """From what on an alarm rings: shares from 0 to 1 of one minute's requests, in three minutes of five.

    `least_requests` is how many a minute must have for a share to say anything. `stores_lost` and `throttles` are
    counts of a minute: environments that opened a breaker, and invocations that Lambda refused. `dead_letters` and
    `oldest_message_s` are of the overflow queue, where there is one. `topic` makes an SNS topic that is told.
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
    topic: bool = True


@dataclass(frozen=True)
class Rollout:
    """How a release goes: `weights` in percent up to and without 100, and the time of each step in seconds.

    A step lasts `least_s` at least; at `most_s` without proof either way it does what `unproven` says: advance, top_up
    (send requests), wait, or hold for a person (for `hold_s` at most). The last step has limits of its own. The judge
    looks every `look_s`; `warm` environments are started before any weight; `keep` versions stay.
    Any of the `alarms` fails a release, where the stage has them.
    CloudFormation waits for an hour, so that all steps together must take less.
    `by` "codedeploy" has CodeDeploy shift the traffic instead, each step lasting `most_s`; of the other settings it
    knows only the `alarms`. "two-deploys" leaves the custom resource out: whoever deploys starts the machine, between
    a deploy with `former`, the versions that the aliases name (logical ids by the functions' names), and one without.
    """

    weights: tuple[float, ...] = STRATEGIES["canary"]
    look_s: int = 10
    least_s: int = 60
    most_s: int = 300
    unproven: Literal["advance", "top_up", "wait", "hold"] = "advance"
    last_most_s: int = 1500
    last_unproven: Literal["advance", "top_up", "wait", "hold"] = "hold"
    hold_s: int = 1200
    warm: int = 5
    keep: int = 5
    alarms: tuple[str, ...] = ("ServerErrors", "Latency", "Throttles")
    by: Literal["tidegate", "codedeploy", "two-deploys"] = "tidegate"
    former: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


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
    `provisioned` environments of the API are kept started, at its alias; None: all start on demand. `snap_start` has
    them start from a snapshot, of published versions. Lambda takes neither both nor weights beside the former.
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
    release: Rollout = Rollout()
    worker_timeout_s: int = 60
    worker_concurrency: int = 10
    provisioned: int | None = None
    snap_start: bool = False
    throttle: Throttle = Throttle(rate_per_s=2000, burst=4000)
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

    def __post_init__(self) -> None:
        """Refuse what Lambda would refuse in the middle of a deployment."""
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
    # A laptop's traffic proves little, and whoever edits the code doesn't want to wait.
    release=Rollout(
        weights=(10, 50),
        look_s=1,
        least_s=2,
        most_s=4,
        last_most_s=4,
        last_unproven="advance",
        hold_s=60,
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
    reserved_concurrency=100,  # AWS wants 100 more to stay in the pool: raise the quota of a new account
    log_retention="ONE_MONTH",
    keep_data=True,
    trust_api_key_header=False,
    principal_secret=None,
    decode_method_paths=False,
    decision_budget_ms=None,
    shed_wait_ms=None,
    shed_database_ms=None,
    alarms=Thresholds(),
)
STAGES: Mapping[str, Stage] = MappingProxyType({stage.name: stage for stage in (LOCAL, AWS)})


def select(
    name: object, redis_url: object = None, strategy: object = None, step_s: object = None, rollout: object = None
) -> Stage:
    """Pick a stage by the values of the CDK context; raises StageError, saying what is taken instead.

    `strategy` is a name or a list of weights; `step_s` is for how many seconds a step may last without proof;
    `rollout` says who shifts the traffic: tidegate, or codedeploy.
    """
    stage = STAGES.get(str(name))
    if stage is None:
        raise StageError(f"there is no stage {name!r}: use -c stage={' or -c stage='.join(STAGES)}")
    if strategy:
        stage = _released_by(stage, str(strategy))
    if step_s:
        stage = _paced(stage, str(step_s))
    if rollout:
        stage = _rolled_out_by(stage, str(rollout), str(strategy or "canary"))
    if not redis_url:
        return stage
    if stage.redis_url is None:
        raise StageError(f"stage {stage.name} makes a cache of its own and takes no redis_url")
    if not str(redis_url).startswith(("redis://", "rediss://")):
        raise StageError(f"redis_url is {redis_url!r}: it must start with redis:// or rediss://")
    return replace(stage, redis_url=str(redis_url))


def _released_by(stage: Stage, strategy: str) -> Stage:
    try:
        chosen = weights(strategy)
    except StrategyError as error:
        raise StageError(str(error)) from error
    return replace(stage, release=replace(stage.release, weights=chosen))


def _rolled_out_by(stage: Stage, rollout: str, strategy: str) -> Stage:
    if rollout == "tidegate":
        return stage
    if rollout != "codedeploy":
        raise StageError(f"rollout is {rollout!r}: it takes tidegate or codedeploy")
    if stage.name == LOCAL.name:
        raise StageError(f"stage {stage.name} takes no rollout=codedeploy: its engine has no CodeDeploy")
    release = replace(stage.release, by="codedeploy")
    if strategy == "canary":
        release = replace(release, weights=CODEDEPLOY_CANARY)
    try:
        shift(release.weights)
    except StrategyError as error:
        raise StageError(str(error)) from error
    return replace(stage, release=release)


def _paced(stage: Stage, step_s: str) -> Stage:
    if not step_s.isdigit() or not 0 < int(step_s) < 3600:
        raise StageError(f"step_s is {step_s!r}: it takes whole seconds, less than an hour")
    seconds = int(step_s)
    least_s = min(seconds, stage.release.least_s)
    return replace(stage, release=replace(stage.release, least_s=least_s, most_s=seconds, last_most_s=seconds))

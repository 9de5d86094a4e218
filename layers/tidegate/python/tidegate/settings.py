"""An environment's settings: from the `TIDEGATE_*` variables or made in code, and checked at start in both cases."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import partial
from typing import Any, Literal, NamedTuple, get_args

from tidegate.errors import ConfigurationError
from tidegate.identity.proxies import TrustedProxies, check_proxies, trusted_proxies
from tidegate.redis_clients import RedisClient
from tidegate.runtime import Runtime
from tidegate.service_name import UNNAMED, is_chosen, namespace_of, service_of
from tidegate.setting_kinds import (
    LONGEST_MS,
    Flag,
    Kind,
    Made,
    Milestones,
    Milliseconds,
    Number,
    OrNone,
    Pair,
    Switch,
    Text,
    Whole,
    Word,
)

ShedMode = Literal["on", "shadow", "off"]

# The bytes of Redis' memory that copies may take: those made by one caller's requests, and all together.
DEFAULT_CALLER_BYTES = 16 * 1024 * 1024
DEFAULT_COPIES_BYTES = 256 * 1024 * 1024

_PREFIX = "TIDEGATE_"
Mode = Literal["memory", "redis", "dynamodb", "redis+dynamodb"]
_COUNTING = "TIDEGATE_COUNT_OUTCOMES"

_REDIS = Text(
    "(?:redis|rediss|unix)://.*", "is no Redis address; write redis://HOST:6379/0, or rediss:// for TLS", told=False
)
_TABLE = Text(
    r"(?:arn:[a-z0-9-]+:dynamodb:[a-z0-9-]+:[0-9]+:table/)?[A-Za-z0-9_.-]{1,255}",
    "is no DynamoDB table; write its name (letters, digits, '_', '-' and '.') or its ARN",
)
_QUEUE = Text(
    r"https?://[^\s/?#]+/(?:[^\s?#]*/)?[A-Za-z0-9_-]{1,75}\.fifo",
    "is no FIFO queue of SQS's; write its URL, which ends in .fifo",
)
_REGION = Text(r"(?![0-9]+$)(?!-)[A-Za-z0-9-]{1,63}(?<!-)", "is no region of AWS's; write one such as eu-central-1")
_NAMESPACE = Text("(?=.*[A-Za-z0-9])[A-Za-z0-9_-]{1,32}", "must be 1 to 32 letters, digits, '-' and '_'")
_NAME = Text("[!-~]+", "is no name; write visible ASCII without spaces")
_SECRET = Text(".*", "is no text", told=False)
_BUDGET = Whole(10, 10_000, "is out of range; write whole milliseconds from 10 to 10000, such as 60")
_FLEET = Whole(1, 100_000, "is no number of environments; write 1 to 100000, such as the reserved concurrency")
_CAPACITY = OrNone(Whole(1, 1_000_000, "is no number of requests at once; write 1 to 1000000"))
_BYTES = Whole(0, 2**40, "is no number of bytes; write digits only, such as 16777216, or 0 for none")
_LIFETIME = Milliseconds(1000, LONGEST_MS, "is out of range; write at least 1s, such as 24h")
_EXPIRY = Milliseconds(1000, 345_600_000, "is out of range; write 1s to 4d, which is how long SQS keeps a message")
_REDIS_TIME = Whole(1, 10_000, "is out of range; write milliseconds from 1 to 10000, such as 20")
_SHARE = Number(0, 1, "is no share; write a number from 0 to 1, such as 0.01")
_LINES = Number(0.0001, 1, "is no share of lines; write a number from 0.0001 to 1, such as 0.01")
_FILLED = Number(0.01, 2, "is out of range; write 0.01 to 2, such as 0.9")
_SOME_BYTES = Whole(1, 2**40, "is no number of bytes in a second; write 1 or more, for 0 never end, such as 1024")
_BODY_TIME = Milliseconds(1000, 3_600_000, "is out of range; write 1s to 1h, such as 20s")
_BODIES = Whole(1, 1_000_000, "is no number of bodies at once; write 1 to 1000000")
_PROXIES = Made(trusted_proxies, check_proxies)
_BOUND = Whole(1, 1000, "is out of range; write a number from 1 to 1000")
_BOUND_OF_ALL = Whole(1, 100_000, "is out of range; write a number from 1 to 100000")
_RELEASE = Text(".+", "is no name of a release; write a text")
_COUNTED = Pair("is no function and its version; write both as texts")
_FOLDER = Text(".+", "is no folder; write its path")
_NO_STORE = (
    "no store is configured; write TIDEGATE_REDIS_URL=redis://HOST:6379 and TIDEGATE_TABLE=NAME of a DynamoDB table "
    "with the partition key pk, or TIDEGATE_STORE=memory for one process alone"
)
_NO_NAME = (
    "nothing names this service: another one without a name that uses the same Redis or table would share its limits, "
    "replays and copies; write TIDEGATE_NAMESPACE=NAME, or FastAPI(title=…)"
)
_MODE = Word(*get_args(ShedMode))
_SPAN = Milestones(600_000)
_MEMORY = Switch("memory", "is unknown; write 'memory', or leave it out and set TIDEGATE_REDIS_URL")


def _setting(variable: str, kind: Kind, default: Any, *, secret: bool = False) -> Any:
    """Declare a setting that a variable may hold; one that may hold a secret isn't shown by `repr`."""
    return field(default=default, repr=not secret, metadata={"variable": _PREFIX + variable, "kind": kind})


def _here(attribute: str, kind: Kind, variable: str = "") -> Any:
    """Declare a setting whose default is a fact of this process."""
    metadata = {"variable": variable and _PREFIX + variable, "kind": kind}
    return field(default_factory=partial(_of_runtime, attribute), metadata=metadata)


def _of_runtime(attribute: str) -> Any:
    return getattr(Runtime.here(), attribute)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of an environment.

    Settings made in code are checked like the variables, and also know whether Lambda runs this process. An argument
    that is given wins.

    Attributes:
        redis_url: TIDEGATE_REDIS_URL; None: no Redis, unless `redis` is given.
        redis: the application's own redis-py client, in place of a URL.
        redis_cluster: TIDEGATE_REDIS_CLUSTER: whether Redis speaks the cluster protocol.
        redis_iam_user, redis_iam_cache: TIDEGATE_REDIS_IAM_USER and _CACHE: ElastiCache's IAM authentication.
        table: TIDEGATE_TABLE: the DynamoDB table of claims and of the fallback, its name or ARN; None: no DynamoDB.
        memory_only: TIDEGATE_STORE=memory: one process, nothing shared.
        namespace: TIDEGATE_NAMESPACE: keeps services that share a Redis or a table apart. By default it is made of the
            application's title, else of the function's name (see `named_after`).
        decision_budget_ms: TIDEGATE_DECISION_BUDGET_MS: milliseconds in which a decision is made.
        redis_timeout_ms: TIDEGATE_REDIS_TIMEOUT_MS: milliseconds to wait for Redis' replies, always; None: as long as
            what was seen of it deserves, at most a third of the budget.
        principal_secret: TIDEGATE_PRINCIPAL_SECRET: keys the digest that stands for an API key.
        trust_api_key_header: TIDEGATE_TRUST_API_KEY_HEADER: whether a gateway in front has checked x-api-key.
        trusted_proxies: TIDEGATE_TRUSTED_PROXIES: the proxies that are trusted to write callers' addresses; None: none.
        time_zone_claim: TIDEGATE_TIME_ZONE_CLAIM: the claim with a caller's time zone, if users can't write it; None:
            only the time zone from the authorizer's own code counts.
        idempotency_lifetime_ms: TIDEGATE_IDEMPOTENCY_LIFETIME: for how long responses are kept for replays.
        region: AWS_REGION, which botocore doesn't read by itself; None: botocore's own settings.
        fleet_size: TIDEGATE_FLEET_SIZE: how many environments share the limits before any were counted.
        shadow_share: TIDEGATE_SHADOW_SHARE: the share of Redis' decisions that DynamoDB is asked, too; 0 to 1.
        shed: TIDEGATE_SHED: `on`; `shadow` only reports what would be refused; `off` reads no signal.
        capacity: TIDEGATE_CAPACITY: how many requests the whole fleet runs at once, such as the reserved concurrency;
            None: unknown, and no signal.
        concurrency: TIDEGATE_CONCURRENCY: how many requests this server process runs at once; None: no signal.
        shed_in_flight: TIDEGATE_SHED_IN_FLIGHT: the share of either at which shedding begins; above 1 only if a queue
            in front holds a short excess.
        shed_wait_ms: TIDEGATE_SHED_WAIT_MS: the waits before the handler at which shedding begins, and at which all
            requests except critical ones are refused.
        shed_store_ms, shed_database_ms: TIDEGATE_SHED_STORE_MS, TIDEGATE_SHED_DATABASE_MS: the same for the average
            time of a decision, and of the calls reported by `Gate.observe("database", …)`.
        queue_url: TIDEGATE_QUEUE_URL: the SQS FIFO queue of overflow; None: no route may have an overflow.
        dead_letter_url: TIDEGATE_DEAD_LETTER_URL: the FIFO queue for requests that can't be run; None: there is none.
        queue_expiry_ms: TIDEGATE_QUEUE_EXPIRY: for how long a request may wait there; then it isn't run any more.
        queue_bound: TIDEGATE_QUEUE_BOUND: how many requests of one principal may wait.
        queue_bound_of_all: TIDEGATE_QUEUE_BOUND_OF_ALL: how many requests of all principals may wait.
        body_timeout_ms, body_bytes_per_s: TIDEGATE_BODY_TIMEOUT, TIDEGATE_BODY_BYTES_PER_S: how long a request's body
            is waited for, and how many received bytes prolong that by a second.
        bodies_per_principal, bodies: TIDEGATE_BODIES_PER_PRINCIPAL, TIDEGATE_BODIES: how many bodies may be coming in
            at once, of one principal and of all, in a server process.
        replay_bytes_per_s: TIDEGATE_REPLAY_BYTES_PER_S: how many bytes of replays a second one principal may get from
            each environment; 0: unbounded.
        cache_bytes: TIDEGATE_CACHE_BYTES: bytes of memory for this environment's own copies.
        cache_redis_bytes: TIDEGATE_CACHE_REDIS_BYTES: how many bytes all copies may take in Redis; never more than half
            of its memory.
        cache_caller_bytes: TIDEGATE_CACHE_CALLER_BYTES: how many of these the copies made by one caller's requests may
            take.
        log_sample: TIDEGATE_LOG_SAMPLE: the share of ordinary requests' lines that are written, from 0 to 1.
        release: TIDEGATE_RELEASE, else the function's version: the name of the running release.
        counted_as: TIDEGATE_COUNT_OUTCOMES, on by default in a published version of a function: the function's name and
            the version under which the outcomes of requests are counted; None: they aren't counted.
        on_lambda: whether this process runs one request at a time, and nothing between requests; False on Lambda
            Managed Instances.
        scratch: a folder that outlives the process within its sandbox; None if there is none.
        web_adapter: TIDEGATE_LAMBDA_WEB_ADAPTER: whether AWS Lambda Web Adapter is in front of this server, so that its
            fields are believed. By default that is found out by the adapter's own variables and files.

    Raises:
        ConfigurationError: a value is wrong, or excludes another; the error names the argument and the variable.
    """

    redis_url: str | None = _setting("REDIS_URL", OrNone(_REDIS), None, secret=True)
    redis: Any = field(default=None, repr=False, metadata={"variable": "", "kind": RedisClient()})
    redis_cluster: bool = _setting("REDIS_CLUSTER", Flag(), default=False)
    redis_iam_user: str | None = _setting("REDIS_IAM_USER", OrNone(_NAME), None)
    redis_iam_cache: str | None = _setting("REDIS_IAM_CACHE", OrNone(_NAME), None)
    table: str | None = _setting("TABLE", OrNone(_TABLE), None)
    memory_only: bool = _setting("STORE", _MEMORY, default=False)
    namespace: str = _setting("NAMESPACE", _NAMESPACE, UNNAMED)
    decision_budget_ms: int = _setting("DECISION_BUDGET_MS", _BUDGET, 60)
    redis_timeout_ms: int | None = _setting("REDIS_TIMEOUT_MS", OrNone(_REDIS_TIME), None)
    principal_secret: str = _setting("PRINCIPAL_SECRET", _SECRET, "", secret=True)
    trust_api_key_header: bool = _setting("TRUST_API_KEY_HEADER", Flag(), default=False)
    trusted_proxies: TrustedProxies | None = _setting("TRUSTED_PROXIES", OrNone(_PROXIES), None)  # noqa: RUF009  as `shed`
    time_zone_claim: str | None = _setting("TIME_ZONE_CLAIM", OrNone(_NAME), None)
    idempotency_lifetime_ms: int = _setting("IDEMPOTENCY_LIFETIME", _LIFETIME, 86_400_000)
    region: str | None = _here("region", OrNone(_REGION))
    fleet_size: int = _setting("FLEET_SIZE", _FLEET, 1)
    shadow_share: float = _setting("SHADOW_SHARE", _SHARE, 0.01)
    shed: ShedMode = _setting("SHED", _MODE, "on")  # noqa: RUF009  a field, as the others: ruff doesn't see the type
    capacity: int | None = _setting("CAPACITY", _CAPACITY, None)
    concurrency: int | None = _setting("CONCURRENCY", _CAPACITY, None)
    shed_in_flight: float = _setting("SHED_IN_FLIGHT", _FILLED, 0.9)
    shed_wait_ms: tuple[int, int] = _setting("SHED_WAIT_MS", _SPAN, (500, 5000))
    shed_store_ms: tuple[int, int] = _setting("SHED_STORE_MS", _SPAN, (100, 1000))
    shed_database_ms: tuple[int, int] = _setting("SHED_DATABASE_MS", _SPAN, (250, 2500))
    queue_url: str | None = _setting("QUEUE_URL", OrNone(_QUEUE), None)
    dead_letter_url: str | None = _setting("DEAD_LETTER_URL", OrNone(_QUEUE), None)
    queue_expiry_ms: int = _setting("QUEUE_EXPIRY", _EXPIRY, 3_600_000)
    queue_bound: int = _setting("QUEUE_BOUND", _BOUND, 100)
    queue_bound_of_all: int = _setting("QUEUE_BOUND_OF_ALL", _BOUND_OF_ALL, 10_000)
    body_timeout_ms: int = _setting("BODY_TIMEOUT", _BODY_TIME, 20_000)
    body_bytes_per_s: int = _setting("BODY_BYTES_PER_S", _SOME_BYTES, 1024)
    bodies_per_principal: int = _setting("BODIES_PER_PRINCIPAL", _BODIES, 100)
    bodies: int = _setting("BODIES", _BODIES, 500)
    replay_bytes_per_s: int = _setting("REPLAY_BYTES_PER_S", _BYTES, 4 * 1024 * 1024)
    cache_bytes: int = _setting("CACHE_BYTES", _BYTES, 16 * 1024 * 1024)
    cache_redis_bytes: int = _setting("CACHE_REDIS_BYTES", _BYTES, DEFAULT_COPIES_BYTES)
    cache_caller_bytes: int = _setting("CACHE_CALLER_BYTES", _BYTES, DEFAULT_CALLER_BYTES)
    log_sample: float = _setting("LOG_SAMPLE", _LINES, 1.0)
    release: str = _here("release", _RELEASE, "RELEASE")
    counted_as: tuple[str, str] | None = _here("counted_as", OrNone(_COUNTED))
    on_lambda: bool = _here("on_lambda", Flag())
    scratch: str | None = _here("scratch", OrNone(_FOLDER))
    web_adapter: bool = _here("web_adapter", Flag(), "LAMBDA_WEB_ADAPTER")

    def __post_init__(self) -> None:
        for setting in _SETTINGS:
            try:
                setting.kind.check(getattr(self, setting.argument))
            except ValueError as error:
                raise _WrongSettingError(setting.argument, str(error)) from error
        found = _beside_a_client(self) or _contradiction(self)
        if found is not None:
            raise _WrongSettingError(*found)

    @property
    def mode(self) -> Mode:
        """The stores that decide together; `startup.mode` says what that promises."""
        if self.memory_only:
            return "memory"
        if self.uses_redis and self.table:
            return "redis+dynamodb"
        return "redis" if self.uses_redis else "dynamodb"

    def claims_for(self, wanted: str | None) -> Literal["memory", "redis", "dynamodb"]:
        """Return where claims are kept, given what a policy wants; None: it doesn't say."""
        if self.memory_only:
            return "memory"
        return "redis" if wanted == "redis" or not (wanted or self.table) else "dynamodb"

    @property
    def uses_redis(self) -> bool:
        """Whether there is a Redis, by its URL or by a client."""
        return self.redis_url is not None or self.redis is not None

    @property
    def principal_key(self) -> bytes:
        """The key of the digests that stand for credentials, the same in all environments."""
        return (self.principal_secret or self.namespace).encode()

    @classmethod
    def from_environ(cls, environ: Mapping[str, str], redis: Any = None) -> Settings:
        """Read the settings from environment variables.

        An unknown `TIDEGATE_*` variable is logged, with the one that it may stand for.

        Args:
            environ: the variables.
            redis: the application's own redis-py client, which no variable can hold.

        Raises:
            ConfigurationError: a variable is wrong or missing; the error names it, and what to write instead.
        """
        arguments = _runtime_arguments(environ) | {"redis": redis}
        for argument, variable, kind in _SETTINGS:
            text = environ.get(variable, "").strip()
            if text:
                # A secret isn't stripped: other holders of the same text must compute the same digests.
                arguments[argument] = _read(variable, kind, environ[variable] if kind is _SECRET else text)
        counting = environ.get(_COUNTING, "").strip()
        if counting:
            runtime = Runtime.of(environ)
            named = (runtime.function or "local", runtime.version or arguments.get("release") or "local")
            arguments["counted_as"] = named if _read(_COUNTING, Flag(), counting) else None
        try:
            settings = cls(**arguments)
        except _WrongSettingError as wrong:
            raise ConfigurationError(wrong.variable, wrong.problem) from wrong
        if any(name.startswith(_PREFIX) and name not in VARIABLES for name in environ):
            from tidegate.startup.unknown_variables import warn  # noqa: PLC0415  rarely

            warn(environ, VARIABLES)
        return settings

    def named_after(self, title: str) -> Settings:
        """Return these settings with a namespace, made of an application's title or of the function's name.

        A namespace that was chosen stays. If the service has no name, the namespace is "default", and a warning is
        logged, since another service may share the stores.

        Raises:
            ConfigurationError: only the function's name is known, and the worker's function has another one.
        """
        function = Runtime.here().function
        service = service_of(title, function)
        if is_chosen(self.namespace) or self.memory_only:
            return self
        if service is None and self.on_lambda:  # only in a simulated Lambda, as a real function has a name
            return self
        if service is None:
            from tidegate.telemetry import logger  # noqa: PLC0415  used once, at start

            logger().warning(_NO_NAME, extra={"variable": "TIDEGATE_NAMESPACE"})
            return self
        if service == function and self.queue_url:
            raise ConfigurationError(
                "TIDEGATE_NAMESPACE",
                "an API and its worker share one namespace, and nothing but a function's name says which; write the "
                "service's name into it for both, or give the application a title: FastAPI(title=…)",
            )
        return replace(self, namespace=namespace_of(service))


class _Setting(NamedTuple):
    argument: str
    variable: str
    kind: Kind


_SETTINGS = tuple(_Setting(each.name, each.metadata["variable"], each.metadata["kind"]) for each in fields(Settings))
# The variables of all settings.
VARIABLES: frozenset[str] = frozenset(
    {_COUNTING, "TIDEGATE_LOG", *(setting.variable for setting in _SETTINGS if setting.variable)}
)
_VARIABLE_OF = {setting.argument: setting.variable for setting in _SETTINGS if setting.variable}


class _WrongSettingError(ConfigurationError):
    """An argument is wrong; the error names it as an argument or as a variable, depending on its source."""

    def __init__(self, argument: str, problem: str) -> None:
        self.problem = problem
        self.variable = _VARIABLE_OF.get(argument, f"Settings({argument}=…)")
        also = f" (its variable is {self.variable})" if argument in _VARIABLE_OF else ""
        super().__init__(f"Settings({argument}=…)", problem + also)


def _read(variable: str, kind: Kind, text: str) -> Any:
    try:
        value = kind.read(text)
        kind.check(value)
    except ValueError as error:
        raise ConfigurationError(variable, str(error)) from error
    return value


def _runtime_arguments(environ: Mapping[str, str]) -> dict[str, Any]:
    """Return the arguments that follow from the runtime's variables; others have this process's defaults."""
    runtime = Runtime.of(environ)
    arguments: dict[str, Any] = {} if runtime.region is None else {"region": runtime.region}
    if runtime.version is not None:
        arguments |= {"release": runtime.release, "counted_as": runtime.counted_as}
    if runtime.function is not None:
        arguments |= {name: getattr(runtime, name) for name in ("on_lambda", "scratch", "web_adapter")}
    return arguments


def _beside_a_client(settings: Settings) -> tuple[str, str] | None:
    """Return an argument that says something else than a client that is given, and the problem."""
    if settings.redis is None:
        return None
    said = {
        "redis_url": "the Redis is given as a client, too; unset TIDEGATE_REDIS_URL, or leave redis= out",
        "redis_cluster": "a client knows whether it speaks to a cluster; unset it, and pass a RedisCluster for one",
        "redis_iam_user": "a client signs in by itself; unset it, and give the client a credential_provider",
        "redis_iam_cache": "a client signs in by itself; unset it, and give the client a credential_provider",
        "memory_only": "'memory' excludes a client; unset TIDEGATE_STORE, or leave redis= out",
    }
    return next(((name, problem) for name, problem in said.items() if getattr(settings, name)), None)


def _contradiction(settings: Settings) -> tuple[str, str] | None:
    """Return an argument that contradicts another one or is missing, and the problem; None if there is none."""
    shared = settings.uses_redis or settings.table
    if settings.memory_only and shared:
        return "memory_only", "'memory' excludes TIDEGATE_REDIS_URL and TIDEGATE_TABLE; unset one"
    if not settings.memory_only and not shared:
        return "redis_url", _NO_STORE
    if bool(settings.redis_iam_user) != bool(settings.redis_iam_cache):
        return (
            "redis_iam_user" if settings.redis_iam_user else "redis_iam_cache",
            "IAM authentication needs both TIDEGATE_REDIS_IAM_USER and TIDEGATE_REDIS_IAM_CACHE; set the other one",
        )
    if settings.web_adapter and Runtime.here().function is None:
        return (
            "web_adapter",
            (
                "this isn't Lambda, where clients alone write the adapter's fields; leave the variable out, since the "
                "adapter is found by itself where it is"
            ),
        )
    if settings.queue_url and settings.queue_url == settings.dead_letter_url:
        return (
            "dead_letter_url",
            "it is the queue itself, which would get back what it can't run; write another one's URL",
        )
    return None

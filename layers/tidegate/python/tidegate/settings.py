"""What the environment says: every `TIDEGATE_*` variable, read once, checked at start."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeVar, cast, get_args

from tidegate.errors import ConfigurationError
from tidegate.units import duration_us

Value = TypeVar("Value")
ShedMode = Literal["on", "shadow", "off"]
# From where a threshold begins to count to where it counts whole.
Span = tuple[int, int]

_FLAGS = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False, "": False}
_REDIS_SCHEMES = ("redis://", "rediss://", "unix://")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How this environment is set up.

    Attributes:
        redis_url: TIDEGATE_REDIS_URL; None: no Redis.
        redis_cluster: TIDEGATE_REDIS_CLUSTER: whether Redis speaks the cluster protocol.
        redis_iam_user, redis_iam_cache: TIDEGATE_REDIS_IAM_USER and _CACHE: ElastiCache's IAM authentication.
        table: TIDEGATE_TABLE: the DynamoDB table of claims and of the fallback; None: no DynamoDB.
        memory_only: TIDEGATE_STORE=memory: one process, nothing shared.
        namespace: TIDEGATE_NAMESPACE: keeps deployments that share a Redis apart.
        decision_budget_ms: TIDEGATE_DECISION_BUDGET_MS: milliseconds in which a decision is made.
        principal_secret: TIDEGATE_PRINCIPAL_SECRET: keys the digest that stands for an API key.
        trust_api_key_header: TIDEGATE_TRUST_API_KEY_HEADER: whether a gateway in front has checked x-api-key.
        idempotency_lifetime_ms: TIDEGATE_IDEMPOTENCY_LIFETIME: how long answers are kept for replays.
        region: AWS_REGION, which botocore does not read by itself; None: botocore's own settings.
        fleet_size: TIDEGATE_FLEET_SIZE: environments to share the limits among where none were counted yet.
        shadow_share: TIDEGATE_SHADOW_SHARE: the share of Redis' decisions that is asked of DynamoDB, too; 0 to 1.
        shed: TIDEGATE_SHED: `on`; `shadow` only says what would be refused; `off` looks at nothing.
        capacity: TIDEGATE_CAPACITY: requests that the whole fleet runs at once, such as the reserved concurrency; None:
            unknown, and no signal.
        concurrency: TIDEGATE_CONCURRENCY: requests that this server process runs at once; None: no signal.
        shed_in_flight: TIDEGATE_SHED_IN_FLIGHT: the share of either at which shedding begins; above 1 only where a
            queue in front takes what is too much for a moment.
        shed_wait_ms: TIDEGATE_SHED_WAIT_MS: waits before the handler, from where shedding begins to where all but the
            critical is refused.
        shed_store_ms, shed_database_ms: TIDEGATE_SHED_STORE_MS, TIDEGATE_SHED_DATABASE_MS: the same for the average
            time of a decision, and of what `Gate.observe("database", …)` is told.
        queue_url: TIDEGATE_QUEUE_URL: the SQS FIFO queue of what overflows; None: no route may ask for one.
        dead_letter_url: TIDEGATE_DEAD_LETTER_URL: the FIFO queue for requests that can't be run; None: nowhere.
        queue_expiry_ms: TIDEGATE_QUEUE_EXPIRY: how long a request waits there before it isn't run any more.
        queue_bound: TIDEGATE_QUEUE_BOUND: how many requests of one principal may wait.
        cache_bytes: TIDEGATE_CACHE_BYTES: memory for this environment's own copies of cached answers.
        release: TIDEGATE_RELEASE, else the function's version: what is running.
        counted_as: TIDEGATE_COUNT_OUTCOMES, on by default in a published version of a function: the function's name and
            the version under which what becomes of requests is counted; None: it isn't.
        on_lambda: whether one request at a time runs here, and nothing between requests.
        scratch: the folder that a sandbox's next process finds as this one left it; None outside of Lambda.
    """

    redis_url: str | None = None
    redis_cluster: bool = False
    redis_iam_user: str | None = None
    redis_iam_cache: str | None = None
    table: str | None = None
    memory_only: bool = False
    namespace: str = "default"
    decision_budget_ms: int = 60
    principal_secret: str = ""
    trust_api_key_header: bool = False
    idempotency_lifetime_ms: int = 86_400_000
    region: str | None = None
    fleet_size: int = 1
    shadow_share: float = 0.01
    shed: ShedMode = "on"
    capacity: int | None = None
    concurrency: int | None = None
    shed_in_flight: float = 0.9
    shed_wait_ms: Span = (500, 5000)
    shed_store_ms: Span = (100, 1000)
    shed_database_ms: Span = (250, 2500)
    queue_url: str | None = None
    dead_letter_url: str | None = None
    queue_expiry_ms: int = 3_600_000
    queue_bound: int = 100
    cache_bytes: int = 16 * 1024 * 1024
    release: str = "local"
    counted_as: tuple[str, str] | None = None
    on_lambda: bool = False
    scratch: str | None = None

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Settings:
        """Read the settings.

        Raises:
            ConfigurationError: a variable is wrong or missing; it names it, and what to write instead.
        """
        settings = cls(
            redis_url=_read(environ, "TIDEGATE_REDIS_URL", _redis_url, None),
            redis_cluster=_read(environ, "TIDEGATE_REDIS_CLUSTER", _flag, default=False),
            redis_iam_user=environ.get("TIDEGATE_REDIS_IAM_USER") or None,
            redis_iam_cache=environ.get("TIDEGATE_REDIS_IAM_CACHE") or None,
            table=environ.get("TIDEGATE_TABLE") or None,
            memory_only=_read(environ, "TIDEGATE_STORE", _store, default=False),
            namespace=_read(environ, "TIDEGATE_NAMESPACE", _namespace, "default"),
            decision_budget_ms=_read(environ, "TIDEGATE_DECISION_BUDGET_MS", _budget, 60),
            principal_secret=environ.get("TIDEGATE_PRINCIPAL_SECRET", ""),
            trust_api_key_header=_read(environ, "TIDEGATE_TRUST_API_KEY_HEADER", _flag, default=False),
            idempotency_lifetime_ms=_read(environ, "TIDEGATE_IDEMPOTENCY_LIFETIME", _lifetime_ms, 86_400_000),
            region=environ.get("AWS_REGION") or None,
            fleet_size=_read(environ, "TIDEGATE_FLEET_SIZE", _fleet_size, 1),
            shadow_share=_read(environ, "TIDEGATE_SHADOW_SHARE", _share, 0.01),
            shed=_read(environ, "TIDEGATE_SHED", _shed_mode, "on"),
            capacity=_read(environ, "TIDEGATE_CAPACITY", _capacity, None),
            concurrency=_read(environ, "TIDEGATE_CONCURRENCY", _capacity, None),
            shed_in_flight=_read(environ, "TIDEGATE_SHED_IN_FLIGHT", _filled, 0.9),
            shed_wait_ms=_read(environ, "TIDEGATE_SHED_WAIT_MS", _span_ms, (500, 5000)),
            shed_store_ms=_read(environ, "TIDEGATE_SHED_STORE_MS", _span_ms, (100, 1000)),
            shed_database_ms=_read(environ, "TIDEGATE_SHED_DATABASE_MS", _span_ms, (250, 2500)),
            queue_url=_read(environ, "TIDEGATE_QUEUE_URL", _queue_url, None),
            dead_letter_url=_read(environ, "TIDEGATE_DEAD_LETTER_URL", _queue_url, None),
            queue_expiry_ms=_read(environ, "TIDEGATE_QUEUE_EXPIRY", _expiry_ms, 3_600_000),
            queue_bound=_read(environ, "TIDEGATE_QUEUE_BOUND", _bound, 100),
            cache_bytes=_read(environ, "TIDEGATE_CACHE_BYTES", _bytes, 16 * 1024 * 1024),
            release=environ.get("TIDEGATE_RELEASE") or environ.get("AWS_LAMBDA_FUNCTION_VERSION") or "local",
            counted_as=_counted_as(environ),
            on_lambda="AWS_LAMBDA_FUNCTION_NAME" in environ,
            scratch=_scratch(environ),
        )
        settings._check_stores()
        return settings

    def _check_stores(self) -> None:
        shared = self.redis_url or self.table
        if self.memory_only and shared:
            raise ConfigurationError(
                "TIDEGATE_STORE", "'memory' excludes TIDEGATE_REDIS_URL and TIDEGATE_TABLE; unset one"
            )
        if not self.memory_only and not shared:
            raise ConfigurationError(
                "TIDEGATE_REDIS_URL",
                "no store is configured; write TIDEGATE_REDIS_URL=redis://HOST:6379 and TIDEGATE_TABLE=NAME of a "
                "DynamoDB table with the partition key pk, or TIDEGATE_STORE=memory for one process alone",
            )
        if bool(self.redis_iam_user) != bool(self.redis_iam_cache):
            raise ConfigurationError(
                "TIDEGATE_REDIS_IAM_USER" if self.redis_iam_user else "TIDEGATE_REDIS_IAM_CACHE",
                "IAM authentication needs both TIDEGATE_REDIS_IAM_USER and TIDEGATE_REDIS_IAM_CACHE; set the other one",
            )


def _read(environ: Mapping[str, str], name: str, parse: Callable[[str], Value], default: Value) -> Value:
    text = environ.get(name, "").strip()
    if not text:
        return default
    try:
        return parse(text)
    except ValueError as error:
        raise ConfigurationError(name, str(error)) from error


def _scratch(environ: Mapping[str, str]) -> str | None:
    if "AWS_LAMBDA_FUNCTION_NAME" not in environ:
        return None
    return environ.get("TMPDIR") or "/tmp"  # noqa: S108  on Lambda it is the sandbox's alone


def _counted_as(environ: Mapping[str, str]) -> tuple[str, str] | None:
    """Name whose outcomes are counted: releases compare a function's versions, by their numbers."""
    version = environ.get("AWS_LAMBDA_FUNCTION_VERSION", "")
    if not _read(environ, "TIDEGATE_COUNT_OUTCOMES", _flag, default=version.isdigit()):
        return None
    release = version or environ.get("TIDEGATE_RELEASE") or "local"
    return environ.get("AWS_LAMBDA_FUNCTION_NAME") or "local", release


def _flag(text: str) -> bool:
    if text.lower() not in _FLAGS:
        raise ValueError(f"{text!r} is neither yes nor no; write 1 or 0")
    return _FLAGS[text.lower()]


def _store(text: str) -> bool:
    if text != "memory":
        raise ValueError(f"{text!r} is unknown; write 'memory', or leave it out and set TIDEGATE_REDIS_URL")
    return True


def _redis_url(text: str) -> str:
    if not text.startswith(_REDIS_SCHEMES):
        # Not the text itself: it may hold a password.
        raise ValueError("this is no Redis address; write redis://HOST:6379/0, or rediss:// for TLS")
    return text


def _namespace(text: str) -> str:
    if not text.replace("-", "").replace("_", "").isalnum() or len(text) > 32 or not text.isascii():
        raise ValueError(f"{text!r} must be 1 to 32 letters, digits, '-' and '_'")
    return text


def _budget(text: str) -> int:
    if not text.isdigit() or not 10 <= int(text) <= 10_000:
        raise ValueError(f"{text!r} is out of range; write whole milliseconds from 10 to 10000, such as 60")
    return int(text)


def _fleet_size(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 100_000:
        raise ValueError(f"{text!r} is no number of environments; write 1 to 100000, such as the reserved concurrency")
    return int(text)


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise ValueError(f"{text!r} is no share; write a number from 0 to 1, such as 0.01")
    return share


def _shed_mode(text: str) -> ShedMode:
    if text not in get_args(ShedMode):
        raise ValueError(f"{text!r} is unknown; write one of {get_args(ShedMode)}")
    return cast("ShedMode", text)


def _capacity(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 1_000_000:
        raise ValueError(f"{text!r} is no number of requests at once; write 1 to 1000000")
    return int(text)


def _filled(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = 0.0
    if not 0.01 <= share <= 2:
        raise ValueError(f"{text!r} is out of range; write 0.01 to 2, such as 0.9")
    return share


def _span_ms(text: str) -> Span:
    low, _, high = text.partition("-")
    if not (low.isdigit() and high.isdigit() and int(low) < int(high) <= 600_000):
        raise ValueError(f"{text!r} is no span of milliseconds; write where it begins and where it ends, as 100-1000")
    return int(low), int(high)


def _bytes(text: str) -> int:
    if not text.isdigit() or int(text) > 2**40:
        raise ValueError(f"{text!r} is no number of bytes; write digits only, such as 16777216, or 0 for none")
    return int(text)


def _lifetime_ms(text: str) -> int:
    return max(1000, duration_us(text) // 1000)


def _queue_url(text: str) -> str:
    if not text.startswith(("http://", "https://")) or not text.endswith(".fifo"):
        raise ValueError(f"{text!r} is no FIFO queue of SQS's; write its URL, which ends in .fifo")
    return text


def _expiry_ms(text: str) -> int:
    expiry_ms = duration_us(text) // 1000
    if not 1000 <= expiry_ms <= 345_600_000:
        raise ValueError(f"{text!r} is out of range; write 1s to 4d, which is how long SQS keeps a message")
    return expiry_ms


def _bound(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 1000:
        raise ValueError(f"{text!r} is out of range; write a number from 1 to 1000")
    return int(text)

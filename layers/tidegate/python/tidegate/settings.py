"""What the environment says: every `TIDEGATE_*` variable, read once, checked at start."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from tidegate.errors import ConfigurationError
from tidegate.units import duration_us

Value = TypeVar("Value")

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
        release: TIDEGATE_RELEASE, else the function's version: what is running.
        on_lambda: whether one request at a time runs here, and nothing between requests.
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
    release: str = "local"
    on_lambda: bool = False

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
            release=environ.get("TIDEGATE_RELEASE") or environ.get("AWS_LAMBDA_FUNCTION_VERSION") or "local",
            on_lambda="AWS_LAMBDA_FUNCTION_NAME" in environ,
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


def _lifetime_ms(text: str) -> int:
    return max(1000, duration_us(text) // 1000)

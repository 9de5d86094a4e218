"""The counts in Redis: a hash for each minute of a version, written by `tidegate.outcomes.in_redis`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlencode

from functions.rollout.counts import CountsUnavailableError, Source

if TYPE_CHECKING:
    from redis import CredentialProvider

# Longer than a guard's timeouts, because no request waits for it.
_PATIENCE_S = 1.0
_TOKEN_VALID_S = 900
_TRUE = {"1", "true", "yes"}


class Target(NamedTuple):
    """The address of Redis, and the means of authentication.

    Attributes:
        url: redis://, rediss:// or unix://.
        cluster: whether it speaks the cluster protocol.
        user, cache: ElastiCache's user and cache, if IAM authenticates.
        region: that cache's.
    """

    url: str
    cluster: bool = False
    user: str | None = None
    cache: str | None = None
    region: str | None = None

    def __repr__(self) -> str:
        return f"Target(cluster={self.cluster}, user={self.user}, cache={self.cache})"  # the URL may hold a password


def target(environ: Mapping[str, str]) -> Target:
    """Read the TIDEGATE_* variables."""
    return Target(
        environ["TIDEGATE_REDIS_URL"],
        environ.get("TIDEGATE_REDIS_CLUSTER", "").lower() in _TRUE,
        environ.get("TIDEGATE_REDIS_IAM_USER") or None,
        environ.get("TIDEGATE_REDIS_IAM_CACHE") or None,
        environ.get("AWS_REGION"),
    )


def minute_key(source: Source, minute: int) -> str:
    """Return the key of a minute's hash; a version's keys are in one hash slot."""
    return f"tidegate:{{o:{':'.join(source)}}}:{minute}"


class RedisMinutes:
    """Reads counts."""

    def __init__(self, where: Target) -> None:
        self._where = where
        self._client: Any = None

    def read(self, source: Source, minutes: Sequence[int]) -> dict[int, dict[str, int]]:
        """Read counts by minute and field, in one round trip.

        Raises:
            CountsUnavailableError: Redis did not answer.
        """
        from redis.exceptions import RedisClusterException, RedisError  # noqa: PLC0415  # with the first reading

        try:
            if self._client is None:
                self._client = _connected(self._where)
            replies = self._replies([minute_key(source, minute) for minute in minutes])
        except (RedisError, RedisClusterException, OSError) as error:
            raise CountsUnavailableError(f"Redis: {error}") from error
        return {minute: _fields(reply) for minute, reply in zip(minutes, replies, strict=True) if reply}

    def close(self) -> None:
        """Let go of connections; the next reading opens new ones."""
        if self._client is not None:
            if self._where.cluster:
                # A cluster's client leaves its nodes' pools open.
                self._client.disconnect_connection_pools()
            self._client.close()
            self._client = None

    def _replies(self, keys: Sequence[str]) -> list[dict[bytes, bytes]]:
        with self._client.pipeline(transaction=False) as pipeline:
            for key in keys:
                pipeline.hgetall(key)
            replies: list[dict[bytes, bytes]] = pipeline.execute()
        return replies


def _connected(where: Target) -> Any:
    """Make the client; for a cluster it reads the nodes at once."""
    import redis  # noqa: PLC0415  # heavy: with the first reading
    from redis.backoff import NoBackoff  # noqa: PLC0415  # as above
    from redis.retry import Retry  # noqa: PLC0415  # as above

    options: dict[str, Any] = {"socket_timeout": _PATIENCE_S, "socket_connect_timeout": _PATIENCE_S}
    if where.user and where.cache:
        options["credential_provider"] = _iam(where.user, where.cache, where.region)
    if where.cluster:
        return redis.RedisCluster.from_url(where.url, **options)
    # An idle connection may be dead: one more try, on a fresh one.
    return redis.Redis.from_url(where.url, retry=Retry(NoBackoff(), 1), **options)


def _iam(user: str, cache: str, region: str | None) -> CredentialProvider:
    """Sign a token for each connection to a serverless cache ("Authenticating with IAM", ElastiCache User Guide)."""
    from botocore.model import ServiceId  # noqa: PLC0415  # only where IAM is used
    from botocore.session import Session  # noqa: PLC0415  # as above
    from botocore.signers import RequestSigner  # noqa: PLC0415  # as above
    from redis import CredentialProvider  # noqa: PLC0415  # as above

    session = Session()
    credentials: Any = session.get_credentials()
    emitter = session.get_component("event_emitter")
    where = region or session.get_config_variable("region")
    signer = RequestSigner(ServiceId("elasticache"), where, "elasticache", "v4", credentials, emitter)
    query = urlencode({"Action": "connect", "User": user, "ResourceType": "ServerlessCache"})
    request = {"method": "GET", "url": f"http://{cache.lower()}/?{query}", "body": {}, "headers": {}, "context": {}}

    class Tokens(CredentialProvider):
        # The signer holds only a weak reference to the session's emitter.
        kept = session

        def get_credentials(self) -> tuple[str, str]:
            url: str = signer.generate_presigned_url(request, operation_name="connect", expires_in=_TOKEN_VALID_S)
            return user, url.removeprefix("http://")

    return Tokens()


def _fields(reply: Mapping[bytes, bytes]) -> dict[str, int]:
    return {name.decode(): int(count) for name, count in reply.items()}

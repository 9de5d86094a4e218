"""Which of redis-py's clients an application may pass."""

from __future__ import annotations

from typing import Any, NoReturn

from tidegate.errors import ConfigurationError

_CLIENTS = "pass a redis.Redis, a redis.RedisCluster, Sentinel.master_for(NAME), or a fakeredis.FakeRedis in tests"


class RedisClient:
    """The kind of the setting that holds a client; no variable can hold one."""

    def read(self, text: str) -> NoReturn:
        """Refuse a text."""
        raise ValueError(f"{text!r} is no client; {_CLIENTS}")

    def check(self, value: Any) -> None:
        """Refuse what can't be asked for a decision.

        Raises:
            ValueError: it is no client of redis-py's, an asyncio one, or one of a replica; or redis-py is missing.
        """
        if value is None:
            return
        try:
            from redis import Redis, RedisCluster  # noqa: PLC0415  only where a client is passed
            from redis.client import Pipeline  # noqa: PLC0415
            from redis.cluster import ClusterPipeline  # noqa: PLC0415
        except ImportError as error:
            raise ValueError(f"redis-py can't be imported ({error}); pip install 'tidegate[redis]'") from error
        name = f"{type(value).__module__}.{type(value).__qualname__}"
        if any(each.__module__.startswith("redis.asyncio") for each in type(value).__mro__):
            raise ValueError(
                f"{name} is bound to one event loop and can't be asked from others; {_CLIENTS}, with the same arguments"
            )
        clients = isinstance(value, Redis | RedisCluster) and not isinstance(value, Pipeline | ClusterPipeline)
        if not clients:
            raise ValueError(f"{name} is no client of redis-py's that can decide; {_CLIENTS}")
        if getattr(getattr(value, "connection_pool", None), "is_master", True) is False:
            raise ValueError(f"{name} asks a replica, which can't write; {_CLIENTS}")


def check_redis(client: Any) -> None:
    """Refuse an argument that is no client.

    Raises:
        ConfigurationError: as `RedisClient.check`.
    """
    try:
        RedisClient().check(client)
    except ValueError as error:
        raise ConfigurationError("protect(redis=…)", str(error)) from error


def is_cluster(client: Any) -> bool:
    """Return whether a client speaks the cluster protocol."""
    from redis import RedisCluster  # noqa: PLC0415  as above

    return isinstance(client, RedisCluster)

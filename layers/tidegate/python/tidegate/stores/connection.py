"""The way to Redis: connections that are bounded in time and tracked by what is seen on them.

redis-py's connection object does the protocol, TLS and authentication; around it stand only what a decision
needs: timeouts on everything (redis-py's are unset by default), no retry that could outlive the budget, one
fresh connection where an idle one proves dead, and errors sorted into the classes that the breaker counts.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from threading import Lock
from typing import Any, Protocol

from redis import exceptions as driver
from redis.backoff import NoBackoff
from redis.connection import Connection, ConnectionPool
from redis.credentials import CredentialProvider
from redis.retry import Retry

from tidegate.errors import FaultKind, StoreUnavailableError

Command = Sequence[str | bytes | int]


@dataclass(frozen=True, slots=True)
class RedisTarget:
    """Where Redis is and how long it may take.

    Attributes:
        url: `redis://`, `rediss://` or `unix://`, as redis-py reads it.
        timeout_s: seconds for one reply.
        connect_timeout_s: seconds to connect, TLS and authentication included step by step.
        cluster: whether it speaks the cluster protocol.
        credentials: where tokens come from, such as ElastiCache's IAM authentication.
    """

    url: str
    timeout_s: float
    connect_timeout_s: float
    cluster: bool = False
    credentials: CredentialProvider | None = None

    def check(self) -> None:
        """Make a connection without connecting it.

        Raises:
            ValueError, TypeError: redis-py can't read the URL, or doesn't know an option in it.
        """
        pool = ConnectionPool.from_url(self.url)
        port = pool.connection_kwargs.get("port", 1)
        if not 0 < port < 65536:
            raise ValueError(f"there is no port {port}")
        pool.connection_class(**pool.connection_kwargs)


class Transport(Protocol):
    """Sends commands in one round trip, and hands errors of single commands back in their places."""

    def send(self, commands: Sequence[Command]) -> list[Any]:
        """Return one reply per command; a server's error reply is returned, not raised.

        Raises:
            StoreUnavailableError: the server could not be asked, or its answer not be read.
        """

    def close(self) -> None:
        """Close all connections."""


class NodeTransport:
    """One Redis server: a stack of idle connections, the one used last on top."""

    def __init__(self, target: RedisTarget) -> None:
        options: dict[str, Any] = {
            "socket_timeout": target.timeout_s,
            "socket_connect_timeout": target.connect_timeout_s,
            "socket_keepalive": True,
            "retry": Retry(NoBackoff(), 0),
            "health_check_interval": 0,
            "driver_info": None,
            "protocol": 2,
        }
        if target.credentials is not None:
            options["credential_provider"] = target.credentials
        self._pool = ConnectionPool.from_url(target.url, **options)
        self._idle: list[Connection] = []
        self._lock = Lock()

    def send(self, commands: Sequence[Command]) -> list[Any]:
        """Send on an idle connection; if that one proves dead before it answers, once more on a fresh one."""
        connection = self._take()
        reused = connection is not None
        try:
            return self._exchange(connection or self._connect(), commands)
        except driver.ConnectionError as error:
            if not reused or isinstance(error, driver.TimeoutError):
                raise unavailable(error) from error
        except (driver.RedisError, OSError, ValueError) as error:
            raise unavailable(error) from error
        try:
            self.close()
            return self._exchange(self._connect(), commands)
        except (driver.RedisError, OSError, ValueError) as error:
            raise unavailable(error) from error

    def close(self) -> None:
        """Close the idle connections; busy ones close when they come back broken."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.disconnect()

    def _take(self) -> Connection | None:
        with self._lock:
            return self._idle.pop() if self._idle else None

    def _connect(self) -> Connection:
        connection: Connection = self._pool.connection_class(**self._pool.connection_kwargs)
        connection.connect()
        return connection

    def _exchange(self, connection: Connection, commands: Sequence[Command]) -> list[Any]:
        try:
            packed = connection.pack_commands(commands) if len(commands) > 1 else connection.pack_command(*commands[0])
            connection.send_packed_command(packed, check_health=False)
            replies = [_reply(connection) for _ in commands]
        except BaseException:
            connection.disconnect()
            raise
        with self._lock:
            self._idle.append(connection)
        return replies


class ClusterTransport:
    """A cluster: redis-py finds the node of each command's keys and follows its redirections."""

    def __init__(self, target: RedisTarget) -> None:
        self._target = target
        self._client: Any = None
        self._lock = Lock()

    def send(self, commands: Sequence[Command]) -> list[Any]:
        """Send each command to the node that owns its keys."""
        try:
            client = self._connected()
            return [_attempt(partial(client.execute_command, *command)) for command in commands]
        except driver.RedisClusterException as error:  # not one of the driver's own family, and often a wrapper
            raise unavailable(error.__cause__ or error) from error
        except (driver.RedisError, OSError, ValueError) as error:
            raise unavailable(error) from error

    def close(self) -> None:
        """Close all connections; the cluster is discovered anew at the next call."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def _connected(self) -> Any:
        from redis.cluster import RedisCluster  # noqa: PLC0415  costs 15 ms at cold start; most never need it

        with self._lock:
            if self._client is None:
                options: dict[str, Any] = {
                    "socket_timeout": self._target.timeout_s,
                    "socket_connect_timeout": self._target.connect_timeout_s,
                    "retry": Retry(NoBackoff(), 1),
                }
                if self._target.credentials is not None:
                    options["credential_provider"] = self._target.credentials
                self._client = RedisCluster.from_url(self._target.url, **options)
            return self._client


def _reply(connection: Connection) -> Any:
    return _attempt(lambda: connection.read_response(disconnect_on_error=False))


def _attempt(call: Callable[[], Any]) -> Any:
    """Return a server's error reply as a value, so that the replies after it can still be read."""
    try:
        return call()
    except (driver.ConnectionError, driver.TimeoutError):
        raise
    except driver.ResponseError as error:
        return error


_KINDS: tuple[tuple[type[BaseException], FaultKind], ...] = (
    (driver.AuthenticationError, "authentication"),
    (driver.AuthenticationWrongNumberOfArgsError, "authentication"),
    (driver.AuthorizationError, "authentication"),
    (driver.NoPermissionError, "authentication"),
    (driver.BusyLoadingError, "loading"),
    (driver.TimeoutError, "timeout"),
    (TimeoutError, "timeout"),
    (driver.ReadOnlyError, "read-only"),
    (driver.OutOfMemoryError, "out-of-memory"),
    (driver.ClusterDownError, "cluster-down"),
    (driver.RedisClusterException, "cluster-down"),
    (driver.MovedError, "moved"),
    (driver.AskError, "moved"),
    (driver.MasterDownError, "cluster-down"),
    (ssl.SSLError, "tls"),
)


# What stands in the text only: redis-py wraps sockets' errors, and Redis 6.2 a script's.
_SAID: tuple[tuple[str, FaultKind], ...] = (
    ("NOAUTH", "authentication"),
    ("WRONGPASS", "authentication"),
    ("SSL", "tls"),
    ("TLS", "tls"),
    ("Connection refused", "refused"),
    ("-READONLY", "read-only"),
    ("-OOM", "out-of-memory"),
    ("-CLUSTERDOWN", "cluster-down"),
    ("-MOVED", "moved"),
)


def unavailable(error: BaseException) -> StoreUnavailableError:
    """Sort a driver's error into the classes that are counted, keeping what it said."""
    text = str(error)
    kind = next((kind for known, kind in _KINDS if isinstance(error, known)), None)
    said = next((kind for word, kind in _SAID if word in text), None)
    return StoreUnavailableError("redis", kind or said or _by_family(error), text[:200])


def _by_family(error: BaseException) -> FaultKind:
    return "reset" if isinstance(error, driver.ConnectionError | OSError) else "protocol"

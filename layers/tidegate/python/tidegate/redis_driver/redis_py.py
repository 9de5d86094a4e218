"""Commands sent on the connections of a redis-py client, which the application made and goes on using.

The client's own timeouts and retries don't bound a decision: they hold for each operation on a socket, and its pool
may wait, too. So each call runs on a thread, and is given up when its time is over. Its connections are then cut, which
ends the thread's wait. The threads are few; calls wait for one within their own time.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from redis import Redis, RedisCluster

from tidegate.bounded import Bounded
from tidegate.redis_driver.fakeredis_struct import with_struct
from tidegate.redis_driver.faults import unavailable
from tidegate.redis_driver.node import RedisTarget
from tidegate.redis_driver.redis_py_cluster import ClusterCommands
from tidegate.redis_driver.redis_py_faults import fault_of
from tidegate.redis_driver.redis_py_held import Held, read, write
from tidegate.redis_driver.resp import Command


class RedisPyTransport:
    """A client's server or cluster; thread-safe.

    Args:
        target: the client, and how long it may take.
    """

    def __init__(self, target: RedisTarget) -> None:
        self._client: Redis | RedisCluster = target.client
        self._fake = type(target.client).__module__.startswith("fakeredis")
        self._connect_timeout_s = target.connect_timeout_s
        # It doesn't adapt: what is seen of a call is as much the threads' time as the server's.
        self._timeout_s = target.timeout_s
        self._bounded = Bounded("tidegate-redis-py")
        # Whether the latest call was answered. If not, the next one may have to connect.
        self._well = False
        self._node_lost = False

    def send(self, commands: Sequence[Command], best_effort: int = 0) -> list[Any]:
        """Send commands in one round trip, on a cluster each to the node that owns its first key."""
        return self._within(commands, best_effort, self._timeout_s + (0.0 if self._well else self._connect_timeout_s))

    def open(self, patience_s: float) -> None:
        """Have the client connect, whose provider of credentials may take longer than a decision."""
        if not self._well:
            self._within([("PING",)], 0, patience_s)

    def _within(self, commands: Sequence[Command], best_effort: int, seconds: float) -> list[Any]:
        held = Held()
        try:
            replies = self._bounded.run(partial(self._exchange, held, commands, best_effort), seconds)
        except Exception as error:  # pools, credential providers and hooks of the application's may raise anything
            held.cut()
            self._well, self._node_lost = False, True
            raise unavailable(fault_of(error)) from error
        self._well = True
        return replies

    def close(self) -> None:
        """Leave the connections open: they are the application's."""

    def distrust(self) -> None:
        """Close the idle connections, among them the one on which something else was replied."""
        client = self._client
        nodes: list[Redis | None] = [client] if isinstance(client, Redis) else _clients_of(client)
        for node in nodes:
            if node is not None:
                node.connection_pool.disconnect(inuse_connections=False)

    def _exchange(self, held: Held, commands: Sequence[Command], best_effort: int) -> list[Any]:
        try:
            if isinstance(self._client, RedisCluster):
                return self._over_nodes(self._client, held, commands, best_effort)
            connection = held.take(self._client.connection_pool)
            write(connection, with_struct(commands) if self._fake else commands)
            return [read(connection) for _ in commands]
        except BaseException:
            held.cut()
            raise
        finally:
            held.give_back()

    def _over_nodes(self, client: RedisCluster, held: Held, commands: Sequence[Command], best_effort: int) -> list[Any]:
        if self._node_lost:
            client.nodes_manager.initialize()
            self._node_lost = False
        asked = ClusterCommands(client, commands, best_effort)
        replies = asked.exchange(held)
        self._node_lost = asked.node_lost
        return replies


def _clients_of(cluster: RedisCluster) -> list[Redis | None]:
    return [node.redis_connection for node in cluster.get_nodes()]  # type: ignore[no-untyped-call]

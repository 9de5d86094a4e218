"""The connections that one call holds of a redis-py client's pools."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock
from typing import Any

from redis.exceptions import ResponseError

from tidegate.redis_driver.redis_py_faults import reply_of
from tidegate.redis_driver.resp import Command, pack


class Held:
    """Connections that a call holds. Whoever gives the call up cuts them, which ends the call's wait; thread-safe."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._given_up = False
        self._connections: list[tuple[Any, Any]] = []

    def take(self, pool: Any) -> Any:
        """Take a connection out of a pool, which connects it.

        Raises:
            TimeoutError: meanwhile the call was given up; the connection is left to the next one.
        """
        connection = pool.get_connection()
        with self._lock:
            if not self._given_up:
                self._connections.append((pool, connection))
                return connection
        pool.release(connection)
        raise TimeoutError("it took too long to connect")

    def cut(self, only: Any = None) -> None:
        """Disconnect one connection, or all for good; late replies would be taken for the next commands'."""
        with self._lock:
            self._given_up = self._given_up or only is None
            for _, connection in self._connections:
                if only is None or connection is only:
                    connection.disconnect()

    def give_back(self) -> None:
        """Return the connections to their pools."""
        with self._lock:
            while self._connections:
                pool, connection = self._connections.pop()
                pool.release(connection)


def write(connection: Any, commands: Sequence[Command]) -> None:
    """Send commands at once; no PING goes before them, since a decision is one round trip."""
    connection.send_packed_command([pack(commands)], check_health=False)


def read(connection: Any) -> Any:
    """Return a reply's bytes, whatever the client decodes."""
    try:
        return connection.read_response(disable_decoding=True)
    except ResponseError as error:
        return reply_of(error)

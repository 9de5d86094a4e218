"""Commands for several nodes, sent at once on the connections of a redis-py cluster client."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from redis import RedisCluster
from redis.exceptions import ResponseError

from tidegate.redis_driver.faults import ReplyError
from tidegate.redis_driver.hash_slots import slot_of
from tidegate.redis_driver.redis_py_faults import fault_of, reply_of
from tidegate.redis_driver.redis_py_held import Held, read, write
from tidegate.redis_driver.resp import Command

_REDIRECTIONS = {"MOVED", "ASK", "TRYAGAIN"}


class ClusterCommands:
    """Commands and their replies.

    Args:
        client: knows the nodes, and follows redirections.
        commands: at least one.
        best_effort: so many of the last ones may fail with their node.
    """

    def __init__(self, client: RedisCluster, commands: Sequence[Command], best_effort: int) -> None:
        self._client = client
        self._commands = commands
        self._needed = len(commands) - best_effort
        self._replies: list[Any] = [None] * len(commands)
        # Whether a node was lost, so that its slots may have other owners.
        self.node_lost = False

    def exchange(self, held: Held) -> list[Any]:
        """Write to every node, then read from every node; return the replies."""
        sent = []
        for node, numbers in self._by_node().items():
            try:
                connection = held.take(self._client.get_redis_connection(node).connection_pool)
                write(connection, [self._commands[number] for number in numbers])
                sent.append((connection, numbers))
            except Exception as error:  # noqa: BLE001  raised, unless the commands may fail
                self._spare(error, numbers)
        for connection, numbers in sent:
            try:
                for number in numbers:
                    self._replies[number] = read(connection)
            except Exception as error:  # noqa: BLE001  as above
                held.cut(connection)
                self._spare(error, numbers)
        for number, reply in enumerate(self._replies):
            if isinstance(reply, ReplyError) and reply.code in _REDIRECTIONS:
                self._replies[number] = self._followed(self._commands[number])
        return self._replies

    def _by_node(self) -> dict[Any, list[int]]:
        numbers: dict[Any, list[int]] = {}
        for number, command in enumerate(self._commands):
            node = self._client.nodes_manager.get_node_from_slot(slot_of(command) or 0)
            numbers.setdefault(node, []).append(number)
        return numbers

    def _spare(self, error: Exception, numbers: Sequence[int]) -> None:
        """Make a node's failure the reply to its commands, unless one of them is needed."""
        if any(number < self._needed for number in numbers):
            raise error
        self.node_lost = True
        for number in numbers:
            self._replies[number] = fault_of(error)

    def _followed(self, command: Command) -> Any:
        """Send a command by the client's own means, which learn the slots' owners anew."""
        name, *arguments = command
        parts = [part.encode() if isinstance(part, str) else part for part in arguments]
        try:
            reply = self._client.execute_command(str(name), *parts, NEVER_DECODE=True)  # type: ignore[no-untyped-call]
        except ResponseError as error:
            return reply_of(error)
        return b"OK" if reply is True else reply  # what the client makes of a SET's

"""The way to one Redis server for the coroutines of event loops: one connection for each loop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from math import inf
from time import monotonic
from typing import Any

from tidegate.redis_driver.adaptive_timeout import AdaptiveTimeout
from tidegate.redis_driver.faults import unavailable
from tidegate.redis_driver.link import Link
from tidegate.redis_driver.node import FAILURES
from tidegate.redis_driver.resp import Command, Connection, ProtocolError, pack
from tidegate.steps import Threads

_Loop = asyncio.AbstractEventLoop


class LoopTransport:
    """Sends commands on the running loop's connection, which is opened at first use.

    Args:
        connect: opens a connection, given when to give up; it blocks, and runs on a thread.
        timeout: how long to wait for replies.
        kept_for_s: seconds after which an idle connection isn't used again.
    """

    def __init__(self, connect: Callable[[float], Connection], timeout: AdaptiveTimeout, kept_for_s: float) -> None:
        self._connect = connect
        self._timeout = timeout
        self._kept_for_s = kept_for_s
        self._links: dict[_Loop, Link] = {}
        # Those that were let go and wait for replies: a loop that ends meanwhile closes none.
        self._leaving: set[Link] = set()
        self._connecting: dict[_Loop, asyncio.Future[Link]] = {}

    def send(self, commands: Sequence[Command], threads: Threads) -> Awaitable[list[Any]]:
        """Send commands, and return what their replies will be.

        It fails with StoreUnavailableError; or with UnheardError, if an idle connection proved dead.
        """
        loop = asyncio.get_running_loop()
        link = self._usable(loop)
        packed, count = pack(commands), len(commands)
        return self._connect_and_send(loop, packed, count, threads) if link is None else link.send(packed, count)

    def close(self) -> None:
        """Let go of every loop's connection when what was sent on it is answered; thread-safe."""
        links, self._links = self._links, {}
        for link in (*links.values(), *self._leaving):
            self._let_go(link)

    def break_off(self) -> None:
        """Close the running loop's connection now, because replies on it may be shifted."""
        try:
            link = self._links.pop(asyncio.get_running_loop(), None)
        except RuntimeError:  # whoever noticed it has blocked, on another connection
            return
        if link is not None:
            link.break_off(ProtocolError("another reply on this connection wasn't what was asked for"))

    def _usable(self, loop: _Loop) -> Link | None:
        link = self._links.get(loop)
        return link if link is not None and link.usable and monotonic() - link.used_at < self._kept_for_s else None

    async def _connect_and_send(self, loop: _Loop, packed: bytes, count: int, threads: Threads) -> list[Any]:
        """Send on a new link; those that ask at once wait for the same one."""
        link = self._usable(loop)
        if link is None:
            connecting = self._connecting.get(loop)
            if connecting is None:
                connecting = self._connecting[loop] = asyncio.ensure_future(self._open(loop, threads))
                connecting.add_done_callback(lambda ended: self._opened(loop, ended))
            try:
                link = await asyncio.shield(connecting)
            except FAILURES as error:
                raise unavailable(error) from error
        return await link.send(packed, count)

    def _opened(self, loop: _Loop, ended: asyncio.Future[Link]) -> None:
        self._connecting.pop(loop, None)
        if not ended.cancelled():
            ended.exception()  # if all who waited have left, asyncio needn't complain of it

    async def _open(self, loop: _Loop, threads: Threads) -> Link:
        for other in [other for other in self._links if other is loop or other.is_closed()]:
            self._let_go(self._links.pop(other))
        opening = _Opening(self._connect)
        try:
            connection = await threads(opening.connect)
        except BaseException:
            opening.abandon()
            raise
        link = self._links[loop] = Link(connection, loop, self._timeout)
        return link

    def _let_go(self, link: Link) -> None:
        link.retire()
        if link.closed:
            self._leaving.discard(link)
        else:
            self._leaving.add(link)


class _Opening:
    """A connection that a thread opens; whoever waits for it may leave before."""

    def __init__(self, connect: Callable[[float], Connection]) -> None:
        self._connect = connect
        self._connection: Connection | None = None
        self._abandoned = False

    def connect(self) -> Connection:
        connection = self._connection = self._connect(inf)
        if self._abandoned:
            connection.close()
        return connection

    def abandon(self) -> None:
        """Close the connection, now or when it is there: each of the two looks after it has said its own."""
        self._abandoned = True
        if self._connection is not None:
            self._connection.close()

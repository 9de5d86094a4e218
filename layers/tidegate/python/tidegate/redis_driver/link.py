"""One connection for all coroutines of an event loop: the commands of one turn of the loop are written together.

Redis answers in the order of the commands, so replies are matched by counting. One reply too many would give each
caller another one's. So each batch ends with a PING of its own number, and its replies count only if that comes back in
its place. A batch has a deadline. After one that passes nothing more is sent on the connection, but what was sent
before may still be answered.
"""

from __future__ import annotations

import asyncio
from collections import deque
from math import inf
from time import monotonic
from typing import Any

from tidegate.redis_driver.adaptive_timeout import AdaptiveTimeout
from tidegate.redis_driver.faults import ReplyError, UnheardError, unavailable
from tidegate.redis_driver.resp import PARTIAL, Connection, ProtocolError

Replies = asyncio.Future[list[Any]]


class _Batch:
    """The commands of one turn.

    Attributes:
        exchanges: for each caller the future, and how many of the replies are its own.
        packed: the commands; empty once they are sent.
        due: how many replies there will be, the seal's included.
        seal: the text that the last command must bring back.
        on_idle: whether the connection was idle when the first of them was sent.
        replies: those that came.
        sent_at, ends_at: when they were sent, and when they are given up; seconds of the monotonic clock.
    """

    __slots__ = ("due", "ends_at", "exchanges", "on_idle", "packed", "replies", "seal", "sent_at")

    def __init__(self, seal: bytes, *, on_idle: bool) -> None:
        self.exchanges: list[tuple[Replies, int]] = []
        self.packed: list[bytes] = []
        self.due = 1
        self.seal = seal
        self.on_idle = on_idle
        self.replies: list[Any] = []
        self.sent_at, self.ends_at = 0.0, inf

    @property
    def waited_for(self) -> bool:
        return any(not future.done() for future, _ in self.exchanges)

    def deliver(self) -> None:
        """Give each caller its own replies.

        Raises:
            ProtocolError: the seal isn't in its place.
        """
        seal = self.replies.pop()
        if isinstance(seal, ReplyError):  # the server refuses everything now, as while it loads
            self.fail(seal)
            return
        if seal != self.seal:
            raise ProtocolError("more replies came than commands were sent")
        at = 0
        for future, count in self.exchanges:
            if not future.done():
                future.set_result(self.replies[at : at + count])
            at += count

    def fail(self, error: Exception, *, unheard: bool = False) -> None:
        """Fail whoever still waits."""
        for future, _ in self.exchanges:
            if not future.done():
                future.set_exception(UnheardError(str(error)) if unheard else unavailable(error))


class Link:
    """A connection that an event loop reads and writes. Everything but `retire` is called on the loop.

    Args:
        connection: the connection; it is closed with the link.
        loop: the loop.
        timeout: how long to wait for replies.
    """

    def __init__(self, connection: Connection, loop: asyncio.AbstractEventLoop, timeout: AdaptiveTimeout) -> None:
        self._connection = connection
        self._loop = loop
        self._timeout = timeout
        self._fd = connection.fileno()
        self._number = 0
        self._next: _Batch | None = None
        self._blocked = b""  # what the socket didn't take
        self._pending: deque[_Batch] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self.closed = False
        # Whether commands may be sent on it.
        self.usable = True
        self.used_at = monotonic()
        loop.add_reader(self._fd, self._on_readable)

    def send(self, packed: bytes, count: int) -> Replies:
        """Send commands with the others of this turn; return what their replies will be.

        It fails with StoreUnavailableError; or with UnheardError, if the connection was idle and proved dead.
        """
        future: Replies = self._loop.create_future()
        if self.closed:  # by the server, since the caller was given this link
            ended = ConnectionResetError("Redis closed the connection")
            future.set_exception(UnheardError(str(ended)) if self._number else unavailable(ended))
            return future
        batch = self._next
        if batch is None:
            # A connection that never was of use is no idle one: what it does, the next will do.
            batch = self._next = _Batch(b"%d" % self._number, on_idle=self._number > 0 and not self._pending)
            if batch.on_idle:
                self._connection.heard = False
            self._number += 1
            self._pending.append(batch)
            self._loop.call_soon(self._flush)
        batch.exchanges.append((future, count))
        batch.packed.append(packed)
        batch.due += count
        return future

    def retire(self) -> None:
        """Send nothing more on it, and close it when what was sent is answered or given up; thread-safe."""
        self.usable = False
        try:
            self._loop.call_soon_threadsafe(self._close_if_done)
        except RuntimeError:  # the loop is closed
            self.closed = True
            self._connection.close()

    def break_off(self, error: Exception) -> None:
        """Close it now; whatever waits for a reply fails."""
        self.usable = False
        failed, self._pending, self._next = self._pending, deque(), None
        self._close()
        for batch in failed:
            cut_off = isinstance(error, ConnectionError)
            # A server that refuses a connection says so, and closes it.
            refusal = batch.replies[-1] if cut_off and batch.replies else None
            unheard = cut_off and batch.on_idle and not self._connection.heard
            batch.fail(refusal if isinstance(refusal, ReplyError) else error, unheard=unheard)

    def _flush(self) -> None:
        batch, self._next = self._next, None
        if self.closed or batch is None:
            return
        # A deadline begins here: until now it was the loop that took the time, not Redis.
        batch.sent_at = monotonic()
        batch.ends_at = batch.sent_at + self._timeout.seconds
        batch.packed.append(b"*2\r\n$4\r\nPING\r\n$%d\r\n%b\r\n" % (len(batch.seal), batch.seal))
        packed = b"".join(batch.packed)
        batch.packed.clear()
        if self._timer is None:
            self._timer = self._loop.call_later(self._timeout.seconds, self._expire)
        if self._blocked:
            self._blocked += packed
        else:
            self._write(packed)

    def _write(self, packed: bytes) -> None:
        try:
            rest = self._connection.send_some(packed)
        except OSError as error:
            self.break_off(error)
            return
        if rest and not self._blocked:
            self._loop.add_writer(self._fd, self._on_writable)
        elif self._blocked and not rest:
            self._loop.remove_writer(self._fd)
        self._blocked = rest

    def _on_writable(self) -> None:
        self._write(self._blocked)

    def _on_readable(self) -> None:
        if self.closed:
            return
        ended: Exception | None = None
        try:
            self._connection.feed_arrived()
        except OSError as error:
            ended = error  # what came before counts
        try:
            self._deliver()
        except ProtocolError as error:
            ended = error
        if ended is not None:
            self.break_off(ended)
        elif not self.usable:
            self._close_if_done()

    def _deliver(self) -> None:
        next_reply, pending = self._connection.next_reply, self._pending
        while (reply := next_reply()) is not PARTIAL:
            if not pending or pending[0].ends_at == inf:  # the latter isn't sent yet
                raise ProtocolError("a reply came to what nobody had asked")
            batch = pending[0]
            batch.replies.append(reply)
            if len(batch.replies) == batch.due:
                batch.deliver()
                pending.popleft()
                self.used_at = now = monotonic()
                self._timeout.answered(now - batch.sent_at)

    def _expire(self) -> None:
        """Give up on the batches whose time has passed; the earliest are the first."""
        self._timer = None
        self._on_readable()  # a reply that is there already is in time: it was the loop that didn't come to read it
        now = monotonic()
        expired = False
        for batch in self._pending:
            if batch.ends_at > now:
                if batch.ends_at < inf:
                    self._timer = self._loop.call_later(batch.ends_at - now, self._expire)
                break
            expired = True
            batch.fail(TimeoutError("Redis didn't answer in time"))
        if expired:
            if self.usable:
                self._timeout.expired()
            self.usable = False
            self._close_if_done()

    def _close_if_done(self) -> None:
        if not any(batch.waited_for for batch in self._pending):
            self._close()

    def _close(self) -> None:
        if self.closed:
            return
        self.closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._loop.remove_reader(self._fd)
        if self._blocked:
            self._loop.remove_writer(self._fd)
        self._connection.close()

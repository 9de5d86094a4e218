"""The bounds of slow clients: bodies that are still arriving, and responses that are still being read.

A server waits for a body before it asks a store, or, on a route with slots, while it holds one. A client may read its
response as slowly. A client that never ends would hold memory, files and slots for ever. So each has a time allowance:
waiting uses it up, and bytes refill it, never beyond its first value. It is a bucket, whereas the allowance of Apache's
mod_reqtimeout (`body=20,MinRate=1024`) grows without bound. The number of bodies that are read ahead is bounded, too,
for one principal and for all. If there are too many of all, the oldest body of the principal with the most makes room,
so that no principal can lock out the others.

One timer for each event loop looks at all of them once a second, and counts that second against those that are waited
for just then. So a body that arrives at once costs neither a timer nor a call of the clock.

On Lambda a body comes with its event and a response is sent whole, so none of this is used.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Literal, NamedTuple

from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope, Send

from tidegate.web.body import Body
from tidegate.web.problems import QUOTA_EXCEEDED, Problem, problem_type, reduced_capacity

_LOOKED_AT_EVERY_S = 1.0
_LABEL = "bodies-at-once"

Ending = Literal["slow", "crowded"]


class Bounds(NamedTuple):
    """How long to wait for a client, and for how many bodies at once.

    Attributes:
        timeout_s: the allowance in seconds, and so the longest wait without any byte.
        bytes_per_s: the bytes that refill one second of it.
        per_principal: bodies of one principal at once.
        in_all: bodies of all principals at once.
    """

    timeout_s: float = 20.0
    bytes_per_s: int = 1024
    per_principal: int = 100
    in_all: int = 500

    def left_s(self, before_s: float, waited_s: float, came_bytes: int) -> float:
        """Return the allowance that is left, in seconds; below zero it is exceeded.

        Args:
            before_s: the allowance before.
            waited_s: the seconds of waiting since then.
            came_bytes: the bytes since then.
        """
        return min(self.timeout_s, before_s + came_bytes / self.bytes_per_s) - waited_s


class BodyTooSlowError(HTTPException):
    """The request's body took too long; an application that doesn't catch it responds 408."""

    def __init__(self) -> None:
        super().__init__(408, "The request's body did not come in time.")


class UploadsFullError(Exception):
    """Too many bodies are arriving at once.

    Args:
        of_one: whether the bound of the request's own principal is reached, and not that of all.
    """

    def __init__(self, *, of_one: bool) -> None:
        super().__init__("too many bodies are coming in")
        self.of_one = of_one


class _Awaited:
    """A transfer greediest client may have to be waited for.

    Args:
        leave: called once, when it has ended or was given up.

    Attributes:
        came_bytes: the bytes since the timer's last look.
        left_s: the allowance that is left, in seconds; None: the timer hasn't looked yet.
    """

    __slots__ = ("_cancelled_before", "_ending", "_leave", "_task", "came_bytes", "left_s")

    def __init__(self, leave: Callable[[Any], None]) -> None:
        self.came_bytes = 0
        self.left_s: float | None = None
        self._leave: Callable[[Any], None] | None = leave
        self._task: asyncio.Task[object] | None = None
        self._cancelled_before = 0
        self._ending: Ending | None = None

    @property
    def is_waited_for(self) -> bool:
        """Whether a task waits for the client now, rather than for anything else."""
        return self._task is not None

    def end(self, ending: Ending) -> None:
        """Stop waiting: the waiting task gets an exception."""
        if self._ending is None and self._leave is not None:
            self._ending = ending
            if self._task is not None:
                self._cancelled_before = self._task.cancelling()
                self._task.cancel()

    def close(self) -> None:
        """End the transfer; safe to repeat."""
        leave, self._leave = self._leave, None
        if leave is not None:
            leave(self)

    def _is_ours(self) -> bool:
        """Undo this object's own cancellation; False if there is another one (as in `asyncio.Timeout`)."""
        return self._ending is not None and self._task is not None and self._task.uncancel() <= self._cancelled_before


class Upload(_Awaited):
    """One body that is arriving, as a `receive` with a time allowance.

    Args:
        receive: the server's.
        principal: its principal, if it counts towards the bounds; else None.
        leave: called once, when it has arrived or was given up.
    """

    __slots__ = ("_receive", "principal")

    def __init__(self, receive: Receive, principal: str | None, leave: Callable[[Upload], None]) -> None:
        super().__init__(leave)
        self._receive = receive
        self.principal = principal

    async def __call__(self) -> Message:
        """Return the next message.

        Raises:
            BodyTooSlowError: it didn't arrive in time.
            UploadsFullError: it had to make room for another principal's.
        """
        if self._ending is not None:
            raise self._ended()
        if self._leave is None:  # it has arrived whole: further messages are about the connection
            return await self._receive()
        self._task = asyncio.current_task()
        try:
            message = await self._receive()
        except asyncio.CancelledError:
            if self._is_ours():
                raise self._ended() from None
            raise
        finally:
            self._task = None
        if message.get("more_body", False):
            self.came_bytes += len(message.get("body", b""))
        else:
            self.close()
        return message

    def _ended(self) -> Exception:
        self.close()
        return BodyTooSlowError() if self._ending == "slow" else UploadsFullError(of_one=False)


class Download(_Awaited):
    """One response that is being sent, as a `send` with a time allowance.

    Args:
        send: the server's.
        leave: called once, when the client has read it or was given up.
    """

    __slots__ = ("_send",)

    def __init__(self, send: Send, leave: Callable[[Download], None]) -> None:
        super().__init__(leave)
        self._send = send

    async def __call__(self, message: Message) -> None:
        """Send a message.

        Raises:
            OSError: the client doesn't read it; the ASGI specification has this error for a disconnected client.
        """
        if self._ending is not None:
            raise self._ended()
        self._task = asyncio.current_task()
        try:
            await self._send(message)
        except asyncio.CancelledError:
            if self._is_ours():
                raise self._ended() from None
            raise
        finally:
            self._task = None
        self.came_bytes += len(message.get("body", b""))

    def _ended(self) -> OSError:
        self.close()
        return TimeoutError("the client doesn't take its answer")


class Uploads:
    """All uploads and downloads of this process; used on event loops' threads.

    Args:
        bounds: the time allowance, and the number of bodies.
    """

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._by_loop: dict[asyncio.AbstractEventLoop, _OfLoop] = {}

    async def read(
        self, scope: Scope, receive: Receive, principal: str, read: Callable[[Receive], Awaitable[Body]]
    ) -> Body | Problem:
        """Read a body before its handler runs; return a problem if it is too slow, or there are too many.

        Args:
            scope: the request's.
            receive: the server's.
            principal: the request's.
            read: reads the whole body.
        """
        try:
            upload = self.begin(receive, principal)
            try:
                return await read(upload)
            finally:
                upload.close()
        except BodyTooSlowError as error:
            return _closing(scope, Problem(408, problem_type("body-too-slow"), "Request timeout", error.detail))
        except UploadsFullError as error:
            return _closing(scope, _too_many() if error.of_one else _full())

    def begin(self, receive: Receive, principal: str) -> Upload:
        """Return the `receive` of a body that is read before its handler runs.

        Raises:
            UploadsFullError: there are too many already.
        """
        of_loop = self._by_loop.get(asyncio.get_running_loop()) or self._of_loop()
        return of_loop.begin(receive, principal)

    def during(self, receive: Receive) -> Upload:
        """Return the `receive` of a body that a handler reads itself while it holds a slot; slots bound them."""
        return self._of_loop().upload(receive, None)

    def taken(self, send: Send) -> Download:
        """Return the `send` of a response that is sent while a slot is held."""
        return self._of_loop().download(send)

    def _of_loop(self) -> _OfLoop:
        loop = asyncio.get_running_loop()
        found = self._by_loop.get(loop)
        if found is None:
            found = self._by_loop[loop] = _OfLoop(loop, self._bounds, self._by_loop.pop)
        return found


class _OfLoop:
    """The transfers of one event loop, and the timer that runs while there are any."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        bounds: Bounds,
        forget: Callable[[asyncio.AbstractEventLoop, None], object],
    ) -> None:
        self._loop = loop
        self._bounds = bounds
        self._forget = forget
        self._awaited: dict[_Awaited, None] = {}
        self._counts: dict[str, int] = {}
        self._counted = 0
        self._looked_s = loop.time()
        loop.call_later(_LOOKED_AT_EVERY_S, self._look)

    def begin(self, receive: Receive, principal: str) -> Upload:
        count = self._counts.get(principal, 0)
        if count >= self._bounds.per_principal:
            raise UploadsFullError(of_one=True)
        if self._counted >= self._bounds.in_all:
            self._make_room(count)
        self._counts[principal] = count + 1
        self._counted += 1
        return self.upload(receive, principal)

    def upload(self, receive: Receive, principal: str | None) -> Upload:
        upload = Upload(receive, principal, self._leave)
        self._awaited[upload] = None
        return upload

    def download(self, send: Send) -> Download:
        download = Download(send, self._awaited.pop)
        self._awaited[download] = None
        return download

    def _leave(self, upload: Upload) -> None:
        del self._awaited[upload]
        principal = upload.principal
        if principal is not None:
            self._counted -= 1
            left = self._counts[principal] - 1
            if left:
                self._counts[principal] = left
            else:
                del self._counts[principal]

    def _make_room(self, own: int) -> None:
        """Give up the oldest body of the principal with the most, if it has more than the new request's would have.

        Raises:
            UploadsFullError: no principal has more.
        """
        most = max(self._counts.values())
        if most <= own + 1:
            raise UploadsFullError(of_one=False)
        greediest = {principal for principal, count in self._counts.items() if count == most}
        oldest = next(each for each in self._awaited if isinstance(each, Upload) and each.principal in greediest)
        oldest.end("crowded")
        oldest.close()

    def _look(self) -> None:
        now_s = self._loop.time()
        # A loop that was blocked is no client's fault.
        since_s, self._looked_s = min(now_s - self._looked_s, 2 * _LOOKED_AT_EVERY_S), now_s
        for each in [*self._awaited]:
            before_s = self._bounds.timeout_s if each.left_s is None else each.left_s
            waited_s, came_bytes = since_s if each.is_waited_for else 0.0, each.came_bytes
            each.left_s, each.came_bytes = self._bounds.left_s(before_s, waited_s, came_bytes), 0
            if each.left_s < 0:
                each.end("slow")
        if self._awaited:
            self._loop.call_later(_LOOKED_AT_EVERY_S, self._look)
        else:
            self._forget(self._loop, None)


def _closing(scope: Scope, problem: Problem) -> Problem:
    """Close the connection, on which the rest of the body may still arrive; HTTP/2 doesn't permit the field."""
    if not scope.get("http_version", "1.1").startswith("1"):
        return problem
    return problem._replace(headers=(*problem.headers, (b"connection", b"close")))


def _too_many() -> Problem:
    detail = "Too many of this caller's requests are still being sent; nothing was done."
    retry = ((b"retry-after", b"1"),)
    return Problem(429, QUOTA_EXCEEDED, "Quota exceeded", detail, retry, {"violated-policies": [_LABEL]})


def _full() -> Problem:
    return reduced_capacity("Too many requests are still being sent at once; nothing was done.")

"""Name look-ups with a time limit, which the system's resolver doesn't have."""

from __future__ import annotations

import socket
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from math import inf
from threading import Lock, Thread
from time import monotonic
from typing import Any

from tidegate.forks import call_in_children

# Family, type, protocol, canonical name, socket address: as getaddrinfo returns them.
Found = list[tuple[Any, Any, int, str, Any]]

# A query may be lost. Beside a look-up that hangs for a second another one is begun, so that the name is known soon
# after the resolver answers again. Each one is a thread that can't be ended, so there are few.
_ASKED_ANEW_AFTER_S = 1.0
_MOST_AT_ONCE = 4


class _Lookup:
    """A running look-up, by one thread or, if that takes long, several: the first answer counts."""

    def __init__(self) -> None:
        self.answer: Future[Found] = Future()
        self.asked_at = -inf
        self.threads = 0


_under_way: dict[tuple[str, int], _Lookup] = {}
_lock = Lock()


def _begin_anew() -> None:
    """Forget the parent process' look-ups, whose threads don't exist after a fork."""
    global _lock  # noqa: PLW0603  a lock that a parent's thread held is never freed
    _lock = Lock()
    _under_way.clear()


call_in_children(_begin_anew)


def lookup(host: str, port: int, timeout_s: float) -> Found:
    """Return the addresses of a host.

    Look-ups run on threads of their own, of which there are few however many callers wait.

    Args:
        host: a name or an address.
        port: the port.
        timeout_s: how long to wait; seconds.

    Raises:
        TimeoutError: there is no answer in time.
        socket.gaierror: there is no such host.
        ValueError: it is no valid name.
    """
    try:
        return socket.getaddrinfo(_spelled(host), port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except socket.gaierror:
        pass  # a name, then
    try:
        return _asked(host, port).result(timeout_s)
    except TimeoutError as error:
        raise TimeoutError(f"the name {host} wasn't found in time") from error


def _asked(host: str, port: int) -> Future[Found]:
    with _lock:
        asked = _under_way.setdefault((host, port), _Lookup())
        if asked.threads < _MOST_AT_ONCE and monotonic() - asked.asked_at >= _ASKED_ANEW_AFTER_S:
            asked.asked_at, asked.threads = monotonic(), asked.threads + 1
            Thread(target=_ask, args=(host, port, asked), name="tidegate-resolver", daemon=True).start()
        return asked.answer


def _ask(host: str, port: int, asked: _Lookup) -> None:
    try:
        found = socket.getaddrinfo(_spelled(host), port, type=socket.SOCK_STREAM)
    except Exception as error:  # noqa: BLE001  every error must reach the waiting callers
        _tell(host, port, asked, partial(asked.answer.set_exception, error))
    else:
        _tell(host, port, asked, partial(asked.answer.set_result, found))


def _tell(host: str, port: int, asked: _Lookup, tell: Callable[[], None]) -> None:
    """Answer the waiting callers, unless another thread has; the next caller asks anew, since addresses change."""
    with _lock:
        if _under_way.get((host, port)) is not asked:
            return
        del _under_way[host, port]
    tell()


def _spelled(host: str) -> str | bytes:
    """Return the host for getaddrinfo: as bytes if possible, since for a str Python loads its tables of Unicode."""
    return host.encode() if host.isascii() else host

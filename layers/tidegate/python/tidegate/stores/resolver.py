"""Names looked up with a limit of time, which the system's resolver doesn't know."""

from __future__ import annotations

import socket
from concurrent.futures import Future
from threading import Lock, Thread
from typing import Any

# Family, type, protocol, canonical name, socket address: as getaddrinfo returns them.
Found = list[tuple[Any, Any, int, str, Any]]

_under_way: dict[tuple[str, int], Future[Found]] = {}
_lock = Lock()


def lookup(host: str, port: int, timeout_s: float) -> Found:
    """Return the addresses of a host.

    A lookup that hangs is waited for by a thread of its own, and there is one of it however many ask.

    Raises:
        TimeoutError: no answer in time.
        socket.gaierror: there is no such host.
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
        answer = _under_way.get((host, port))
        if answer is None:
            answer = _under_way[host, port] = Future()
            Thread(target=_ask, args=(host, port, answer), name="tidegate-resolver", daemon=True).start()
        return answer


def _ask(host: str, port: int, answer: Future[Found]) -> None:
    try:
        found = socket.getaddrinfo(_spelled(host), port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        _forget(host, port)
        answer.set_exception(error)
    else:
        _forget(host, port)
        answer.set_result(found)


def _spelled(host: str) -> str | bytes:
    """Return the host as the resolver takes it; Python loads its tables of Unicode for any name that is a str."""
    return host.encode() if host.isascii() else host


def _forget(host: str, port: int) -> None:
    """Let the next one ask anew: after a failover the name leads elsewhere."""
    with _lock:
        del _under_way[host, port]

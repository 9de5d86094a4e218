"""The network of the sync transport: httpcore's own, with timeouts bounded by the time that is left for a call.

Async needs none of it, as a call is cancelled there. A thread can't be, so each read, write and look-up is bounded.
"""

from __future__ import annotations

import contextlib
import ipaddress
import queue
import socket
import ssl
import threading
from collections.abc import Iterable
from typing import Any

import httpcore
import httpx

from tidegate.client.shrinking import Shrinking

# The size of one write, so that a long body to a slow reader is bounded part by part.
_PART_BYTES = 16 * 1024


def bound(transport: httpx.BaseTransport) -> None:
    """Bound an `httpx.HTTPTransport` by the deadlines of its requests; other transports stay unchanged."""
    if isinstance(transport, httpx.HTTPTransport):
        # httpcore takes its network as an argument, which httpx has no argument for.
        pool = transport._pool  # noqa: SLF001  as above
        if not isinstance(pool._network_backend, BoundedNetwork):  # noqa: SLF001  as above
            pool._network_backend = BoundedNetwork(pool._network_backend)  # noqa: SLF001  as above


class BoundedNetwork(httpcore.NetworkBackend):
    """A network whose connections are bounded by the ends of their `Shrinking` timeouts.

    Args:
        inner: the network that connects.
    """

    def __init__(self, inner: httpcore.NetworkBackend) -> None:
        self._inner = inner
        self._last = threading.local()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first of the host's addresses that accepts; all of them share the time."""
        self._last.timeout = timeout
        fault: httpcore.ConnectError | httpcore.ConnectTimeout | None = None
        for address in _addresses(host, port, timeout):
            left_s = _left_s(timeout, httpcore.ConnectTimeout)
            try:
                return BoundedStream(self._inner.connect_tcp(address, port, left_s, local_address, socket_options))
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                fault = error
        raise fault or httpcore.ConnectError(f"{host} has no address")

    def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore.NetworkStream:
        """Connect to a socket of this machine."""
        self._last.timeout = timeout
        left_s = _left_s(timeout, httpcore.ConnectTimeout)
        return BoundedStream(self._inner.connect_unix_socket(path, left_s, socket_options))

    def sleep(self, seconds: float) -> None:
        """Pause between two attempts to connect, which `HTTPTransport(retries=…)` makes."""
        timeout = getattr(self._last, "timeout", None)
        if isinstance(timeout, Shrinking):
            seconds = max(0.0, min(seconds, timeout.now_s))
        self._inner.sleep(seconds)


class BoundedStream(httpcore.NetworkStream):
    """A connection whose reads and writes are bounded by the ends of their `Shrinking` timeouts.

    Args:
        inner: the connection.
    """

    def __init__(self, inner: httpcore.NetworkStream) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read what is there."""
        return self._inner.read(max_bytes, _left_s(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write all of it."""
        for begin in range(0, len(buffer), _PART_BYTES):
            self._inner.write(buffer[begin : begin + _PART_BYTES], _left_s(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        """Close it."""
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        """Make it a TLS connection."""
        left_s = _left_s(timeout, httpcore.ConnectTimeout)
        return BoundedStream(self._inner.start_tls(ssl_context, server_hostname, left_s))

    def get_extra_info(self, info: str) -> Any:
        """Return information of the connection."""
        return self._inner.get_extra_info(info)


def _left_s(timeout: float | None, error: type[httpcore.TimeoutException]) -> float | None:
    if not isinstance(timeout, Shrinking):
        return timeout
    left_s = timeout.now_s
    if left_s <= 0:  # a socket with timeout 0 doesn't block, and raises another error
        raise error("the deadline is over")
    return left_s


def _addresses(host: str, port: int, timeout: float | None) -> list[str]:
    """Look a name up within the time. The system's resolver has no timeout, so a late thread is abandoned."""
    if not isinstance(timeout, Shrinking) or _is_address(host):
        return [host]
    found: queue.SimpleQueue[list[str] | OSError | ValueError] = queue.SimpleQueue()
    threading.Thread(target=_look_up, args=(host, port, found), daemon=True).start()
    try:
        result = found.get(timeout=_left_s(timeout, httpcore.ConnectTimeout))
    except queue.Empty:
        raise httpcore.ConnectTimeout(f"{host} was still being looked up") from None
    if isinstance(result, list):
        return result
    raise httpcore.ConnectError(str(result)) from result


def _look_up(host: str, port: int, found: queue.SimpleQueue[list[str] | OSError | ValueError]) -> None:
    try:
        infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, ValueError) as error:
        found.put(error)
    else:
        found.put(list(dict.fromkeys(str(info[4][0]) for info in infos)))


def _is_address(host: str) -> bool:
    with contextlib.suppress(ValueError):
        ipaddress.ip_address(host)
        return True
    return False

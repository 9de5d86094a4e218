"""A hostile server on a simulated network: real httpx and httpcore, real heads and bodies, and no real time.

A reply is a list of pieces, each of which arrives some seconds after the one before it.
"""

import asyncio
import re
import selectors
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import anyio
import httpcore
import httpx


class End(Enum):
    """How a connection ends, instead of bytes."""

    CLOSED = "closed"
    RESET = "reset"


@dataclass(frozen=True)
class Piece:
    """What arrives after so many seconds."""

    after_s: float
    what: bytes | End


@dataclass(frozen=True)
class Script:
    """What becomes of one request; nothing more arrives after the last piece."""

    pieces: tuple[Piece, ...] = ()
    connect_s: float = 0.0
    refuses: bool = False
    bytes_per_s: float = 1e9  # that the server reads


@dataclass(frozen=True)
class Asked:
    """One request as the server got it."""

    method: str
    target: str
    fields: dict[str, str]
    body: bytes
    port: int

    @property
    def host(self) -> str:
        return self.fields.get("host", "")


class SimulatedTime:
    """A clock that moves when something waits."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def monotonic(self) -> float:
        return self.now_s

    def wall_us(self) -> int:
        return 1_800_000_000_000_000 + round(self.now_s * 1_000_000)

    def advance(self, seconds: float) -> None:
        self.now_s += max(seconds, 0.0)


def reply(
    status: int = 200,
    fields: dict[str, str] | None = None,
    body: bytes = b"{}",
    *,
    every_s: float = 0.0,
    of_bytes: int = 1 << 20,
    cut_at: int | None = None,
    **script: Any,
) -> Script:
    """Make a well-formed reply that arrives `of_bytes` at a time, each `every_s` after the last, and is cut if told."""
    head = {"content-length": str(len(body)), **(fields or {})}
    lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
    raw = f"HTTP/1.1 {status} Told\r\n{lines}\r\n".encode("latin-1") + body
    return in_pieces(raw[:cut_at], every_s, of_bytes, End.CLOSED if cut_at is not None else None, **script)


def in_pieces(raw: bytes, every_s: float, of_bytes: int, end: End | None = None, **script: Any) -> Script:
    """Make a reply of these bytes."""
    pieces = [Piece(every_s, raw[at : at + of_bytes]) for at in range(0, len(raw), of_bytes)]
    return Script((*pieces, *([Piece(0.0, end)] if end else [])), **script)


class SimulatedServer:
    """Answers with the scripts in turn, then with 200; it is every host there is."""

    def __init__(self, time: SimulatedTime) -> None:
        self.time = time
        self.asked: list[Asked] = []
        self.open: set[_Connection] = set()
        self.written = 0
        self._scripts: list[Script] = []

    @property
    def keys(self) -> list[str | None]:
        """The idempotency key of each request, in the order in which they came."""
        return [asked.fields.get("idempotency-key") for asked in self.asked]

    def answers(self, *scripts: Script | int) -> None:
        """Say what comes next; a number is a status."""
        self._scripts += [reply(each) if isinstance(each, int) else each for each in scripts]

    def forget(self) -> None:
        self._scripts.clear()

    def next(self) -> Script:
        return self._scripts[0] if self._scripts else reply()

    def take(self, asked: Asked) -> Script:
        self.asked.append(asked)
        return self._scripts.pop(0) if self._scripts else reply()

    def connect(self, port: int, timeout: float | None) -> tuple["_Connection | None", float]:
        """Return the connection, or None if there is none in time, and how long that takes."""
        script = self.next()
        if timeout is not None and script.connect_s > timeout:
            self._scripts.pop(0)
            return None, timeout
        if script.refuses:
            self._scripts.pop(0)
            raise httpcore.ConnectError("refused")
        return _Connection(self, port), script.connect_s


_LAST_CHUNK = re.compile(rb"(?:^|\r\n)0\r\n\r\n")
_REQUEST = re.compile(rb"(?s)(\S+) (\S+) HTTP/1.1\r\n(.*?)\r\n\r\n")


@dataclass(eq=False)
class _Connection:
    server: SimulatedServer
    port: int
    coming: list[Piece] = field(default_factory=list)
    heard: bytes = b""

    def __post_init__(self) -> None:
        self.server.open.add(self)

    def close(self) -> None:
        self.server.open.discard(self)

    def hear(self, data: bytes) -> None:
        self.server.written += len(data)
        self.heard += data
        while (head := _REQUEST.match(self.heard)) is not None:
            fields = dict(self._fields(head[3]))
            rest = self.heard[head.end() :]
            length = int(fields.get("content-length", 0))
            if fields.get("transfer-encoding") == "chunked":
                last = _LAST_CHUNK.search(rest)
                if last is None:
                    return
                length = last.end()
            if len(rest) < length:
                return
            asked = Asked(head[1].decode(), head[2].decode(), fields, rest[:length], self.port)
            self.heard = rest[length:]
            self.coming += self.server.take(asked).pieces

    @staticmethod
    def _fields(lines: bytes) -> Iterable[tuple[str, str]]:
        for line in lines.split(b"\r\n"):
            name, _, value = line.decode("latin-1").partition(":")
            yield name.lower(), value.strip()

    def arriving(self, timeout: float | None) -> tuple[bytes | None, float]:
        """Return what arrives, None if nothing does in time, and how long that takes."""
        if not self.coming:
            assert timeout is not None, "it would wait for ever"
            return None, timeout
        piece = self.coming[0]
        if timeout is not None and piece.after_s > timeout:
            self.coming[0] = Piece(piece.after_s - timeout, piece.what)
            return None, timeout
        if not isinstance(piece.what, End):
            self.coming.pop(0)
        return self._what(piece.what), piece.after_s

    @staticmethod
    def _what(what: bytes | End) -> bytes:
        if what is End.RESET:
            raise httpcore.ReadError("reset")
        return b"" if isinstance(what, End) else what

    def writing(self, data: bytes, timeout: float | None) -> tuple[bool, float]:
        """Return whether it is written in time, and how long that takes."""
        takes_s = len(data) / self.server.next().bytes_per_s
        return (False, timeout) if timeout is not None and takes_s > timeout else (True, takes_s)

    def knows(self, info: str) -> Any:
        return bool(self.coming) if info == "is_readable" else None


class Network(httpcore.NetworkBackend):
    """The network as threads use it."""

    def __init__(self, server: SimulatedServer) -> None:
        self._server = server

    def connect_tcp(self, host, port, timeout=None, local_address=None, socket_options=None):
        connection, takes_s = self._server.connect(port, timeout)
        self._server.time.advance(takes_s)
        if connection is None:
            raise httpcore.ConnectTimeout("simulated")
        return _Stream(connection)

    def sleep(self, seconds: float) -> None:
        self._server.time.advance(seconds)


class _Stream(httpcore.NetworkStream):
    def __init__(self, connection: _Connection) -> None:
        self._connection = connection

    def read(self, max_bytes, timeout=None):
        data, takes_s = self._connection.arriving(timeout)
        self._connection.server.time.advance(takes_s)
        if data is None:
            raise httpcore.ReadTimeout("simulated")
        return data

    def write(self, buffer, timeout=None):
        written, takes_s = self._connection.writing(buffer, timeout)
        self._connection.server.time.advance(takes_s)
        if not written:
            raise httpcore.WriteTimeout("simulated")
        self._connection.hear(bytes(buffer))

    def close(self):
        self._connection.close()

    def start_tls(self, ssl_context, server_hostname=None, timeout=None):
        return self

    def get_extra_info(self, info):
        return self._connection.knows(info)


class AsyncNetwork(httpcore.AsyncNetworkBackend):
    """The network as tasks use it."""

    def __init__(self, server: SimulatedServer) -> None:
        self._server = server

    async def connect_tcp(self, host, port, timeout=None, local_address=None, socket_options=None):  # noqa: ASYNC109  httpcore's
        connection, takes_s = self._server.connect(port, timeout)
        if connection is None:
            await anyio.sleep(takes_s)
            raise httpcore.ConnectTimeout("simulated")
        try:
            await anyio.sleep(takes_s)
        except BaseException:
            connection.close()
            raise
        return _AsyncStream(connection)

    async def sleep(self, seconds: float) -> None:
        await anyio.sleep(seconds)


class _AsyncStream(httpcore.AsyncNetworkStream):
    def __init__(self, connection: _Connection) -> None:
        self._connection = connection

    async def read(self, max_bytes, timeout=None):  # noqa: ASYNC109  httpcore's
        data, takes_s = self._connection.arriving(timeout)
        await anyio.sleep(takes_s)
        if data is None:
            raise httpcore.ReadTimeout("simulated")
        return data

    async def write(self, buffer, timeout=None):  # noqa: ASYNC109  httpcore's
        written, takes_s = self._connection.writing(buffer, timeout)
        await anyio.sleep(takes_s)
        if not written:
            raise httpcore.WriteTimeout("simulated")
        self._connection.hear(bytes(buffer))

    async def aclose(self):
        self._connection.close()

    async def start_tls(self, ssl_context, server_hostname=None, timeout=None):  # noqa: ASYNC109  httpcore's
        return self

    def get_extra_info(self, info):
        return self._connection.knows(info)


def transport(server: SimulatedServer, **options: Any) -> httpx.HTTPTransport:
    """Return httpx's own transport on the simulated network."""
    made = httpx.HTTPTransport(**options)
    made._pool._network_backend = Network(server)
    return made


def async_transport(server: SimulatedServer, **options: Any) -> httpx.AsyncHTTPTransport:
    """The same for async."""
    made = httpx.AsyncHTTPTransport(**options)
    made._pool._network_backend = AsyncNetwork(server)
    return made


class SimulatedLoop(asyncio.SelectorEventLoop):
    """asyncio's own loop, which waits by moving the clock."""

    def __init__(self, time: SimulatedTime) -> None:
        super().__init__(_SimulatedSelector(time))
        self._simulated = time

    def time(self) -> float:
        return self._simulated.now_s


class _SimulatedSelector(selectors.SelectSelector):
    def __init__(self, time: SimulatedTime) -> None:
        super().__init__()
        self._simulated = time

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if not ready and timeout != 0:
            assert timeout is not None, "it would wait for ever"
            self._simulated.advance(timeout)
        return ready

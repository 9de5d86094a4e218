"""One client connection through the proxy, with its upstream connection."""

import asyncio
import socket
import struct
from collections import deque
from typing import cast

from tests.harness.proxy_traffic import Control, Fault
from tests.harness.request_parsers import Opaque, RequestParser, parser_for

_RST_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER on, zero seconds


class ProxyConnection(asyncio.Protocol):
    """The client's side; lives on the proxy's loop only."""

    def __init__(self, control: Control, target: tuple[str, int], everyone: set["ProxyConnection"]) -> None:
        self._control = control
        self._target = target
        self._everyone = everyone
        self._loop = asyncio.get_running_loop()
        self._client: asyncio.Transport | None = None
        self._upstream: asyncio.Transport | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._parser: RequestParser | None = None
        self._from_client: deque[bytes] = deque()  # held while hanging or until upstream is connected
        self._from_server: deque[tuple[float, bytes | None]] = deque()  # (due, bytes; None ends the connection)
        self._asked = False  # client bytes seen since the last server bytes
        self._silent = False  # nothing passes on this connection any more

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._client = cast("asyncio.Transport", transport)
        self._everyone.add(self)
        self._control.meter.connections += 1
        if self._control.behaviour.fault is Fault.RESET:
            self.reset()
        else:
            self._connecting = self._loop.create_task(self._connect())

    def data_received(self, data: bytes) -> None:
        meter = self._control.meter
        meter.client_bytes += len(data)
        meter.commands += self._names(data)
        self._asked = True
        self._from_client.append(data)
        self.flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self._everyone.discard(self)
        if self._connecting is not None:
            self._connecting.cancel()
        if self._upstream is not None:
            self._upstream.abort()

    def server_received(self, data: bytes) -> None:
        if self._asked:
            self._asked = False
            self._control.meter.round_trips += 1
        self._control.meter.server_bytes += len(data)
        behaviour = self._control.behaviour
        if behaviour.fault in (Fault.CUT_REPLY, Fault.HALF_REPLY) and not self._silent:
            self._forward(data[: behaviour.after_bytes])
            self._control.spend_once()
            if behaviour.fault is Fault.CUT_REPLY:
                self.reset()
            self._silent = True
            return
        self._from_server.append((self._loop.time() + behaviour.delay_s, data))
        self.flush()

    def server_lost(self, error: Exception | None) -> None:
        if error is not None:
            self.reset()
            return
        self._from_server.append((self._loop.time() + self._control.behaviour.delay_s, None))
        self.flush()

    def silence(self) -> None:
        """From now on nothing passes; the connection stays open."""
        self._silent = True
        self._from_client.clear()
        self._from_server.clear()

    def reset(self) -> None:
        """The client sees RST."""
        if self._client is not None:
            peer = cast("socket.socket", self._client.get_extra_info("socket"))
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RST_ON_CLOSE)
            self._client.abort()

    def flush(self) -> None:
        """Forwards what may pass now."""
        if self._silent or self._control.behaviour.fault is Fault.HANG:
            return
        while self._from_client and self._upstream is not None:
            self._upstream.write(self._from_client.popleft())
        while self._from_server and not self._silent:
            due, data = self._from_server[0]
            wait_s = due - self._loop.time()
            if wait_s > 0:
                self._loop.call_later(wait_s, self.flush)
                return
            self._from_server.popleft()
            if data is None:
                self._end()
            else:
                self._forward(data)

    async def _connect(self) -> None:
        try:
            transport, _ = await self._loop.create_connection(lambda: _Upstream(self), *self._target)
        except OSError:
            self.reset()
            return
        self._upstream = transport
        self.flush()

    def _forward(self, data: bytes) -> None:
        if self._client is not None and data:
            self._client.write(data)

    def _end(self) -> None:
        if self._client is not None:
            self._client.close()

    def _names(self, data: bytes) -> list[str]:
        if self._parser is None:
            self._parser = parser_for(data)
        try:
            return self._parser.feed(data)
        except ValueError:
            self._parser = Opaque()
            return []


class _Upstream(asyncio.Protocol):
    """The server's side: hands everything to its connection."""

    def __init__(self, connection: ProxyConnection) -> None:
        self._connection = connection

    def data_received(self, data: bytes) -> None:
        self._connection.server_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._connection.server_lost(exc)

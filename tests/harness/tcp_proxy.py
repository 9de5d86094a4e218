"""A TCP proxy whose behaviour is switched while traffic runs, and which counts round trips."""

import asyncio
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from tests.harness.ports import free_port
from tests.harness.proxy_connection import ProxyConnection
from tests.harness.proxy_traffic import Behaviour, Control, Counts, Fault, Meter


class TcpProxy:
    """Stands in front of `target_host:target_port` on a loopback port of its own; starts passing everything.

    Every method returns when the change is in force. A fault stays until `pass_through()` or another one;
    connections that were cut or silenced stay lost, those that merely hung go on.
    """

    def __init__(self, target_port: int, *, target_host: str = "127.0.0.1") -> None:
        self.host = "127.0.0.1"
        self.port = free_port()
        self._target = (target_host, target_port)
        self._control = Control()
        self._connections: set[ProxyConnection] = set()
        self._listener: asyncio.Server | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="tcp-proxy", daemon=True)
        self._thread.start()
        self._change(Behaviour())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def url(self, target_url: str) -> str:
        """The same URL through this proxy: scheme, credentials, path and query are kept."""
        parts = urlsplit(target_url)
        credentials, at, _ = parts.netloc.rpartition("@")
        return parts._replace(netloc=f"{credentials}{at}{self.host}:{self.port}").geturl()

    def pass_through(self) -> None:
        """Everything passes, listens again; what hung goes on."""
        self._change(Behaviour())

    def delay(self, milliseconds: float) -> None:
        """Every reply comes this much later."""
        self._change(Behaviour(delay_s=milliseconds / 1000))

    def hang(self) -> None:
        """Accepts, takes what is sent, forwards nothing either way; `pass_through` sends it all on."""
        self._change(Behaviour(fault=Fault.HANG))

    def refuse(self, *, drop: bool = True) -> None:
        """The port isn't listening; with `drop` live connections are reset, too."""
        self._unlisten()
        if drop:
            self._on_loop(self._reset_all)

    def reset(self, *, after_bytes: int | None = None, once: bool = False) -> None:
        """RST to live connections and each new one; or, with `after_bytes`, after so many bytes of a reply.

        The request of a reply that is cut has been carried out. With `once` only one reply is cut.
        """
        if after_bytes is None:
            self._change(Behaviour(fault=Fault.RESET))
            self._on_loop(self._reset_all)
        else:
            self._change(Behaviour(fault=Fault.CUT_REPLY, after_bytes=after_bytes, once=once))

    def half_reply(self, after_bytes: int, *, once: bool = False) -> None:
        """Forwards so many bytes of a connection's next reply, then that connection is silent for good.

        With 0 the request is carried out and its acknowledgement lost. With `once` only one reply is halved.
        """
        self._change(Behaviour(fault=Fault.HALF_REPLY, after_bytes=after_bytes, once=once))

    def blackhole(self) -> None:
        """Live connections stay open and nothing passes on them ever again; new ones aren't touched."""
        self._on_loop(self._silence_all)

    def lead_to(self, port: int) -> None:
        """New connections lead to that port; those that are open stay where they are."""
        self._on_loop(lambda: setattr(self, "_target", (self._target[0], port)))

    def counts(self) -> Counts:
        """What has passed since the start or the last `reset_counts()`."""
        return self._control.meter.read()

    def reset_counts(self) -> None:
        self._on_loop(lambda: setattr(self._control, "meter", Meter()))

    @property
    def round_trips(self) -> int:
        return self.counts().round_trips

    @property
    def commands(self) -> list[str]:
        """What was sent since the last `reset_counts()`, without the PING that ends an event loop's batch."""
        return [command for command in self.counts().commands if command != "PING"]

    @property
    def connections(self) -> int:
        """Connections accepted since the last `reset_counts()`."""
        return self.counts().connections

    @property
    def open_connections(self) -> int:
        return len(self._connections)

    def close(self) -> None:
        """Ends the listener, every connection and the thread."""
        if self._loop.is_closed():
            return
        self._unlisten()
        for _ in range(3):  # who was being accepted at that moment is connected only a turn later
            self._on_loop(self._reset_all)
            self._on_loop(self._abort_all)
            asyncio.run_coroutine_threadsafe(self._settle(), self._loop).result(timeout=30)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _change(self, behaviour: Behaviour) -> None:
        def change() -> None:
            self._control.behaviour = behaviour
            for connection in self._connections:
                connection.flush()

        self._on_loop(change)
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(timeout=30)

    async def _listen(self) -> None:
        if self._listener is None:
            self._listener = await self._loop.create_server(self._accept, self.host, self.port)

    def _accept(self) -> ProxyConnection:
        return ProxyConnection(self._control, self._target, self._connections)

    def _unlisten(self) -> None:
        asyncio.run_coroutine_threadsafe(self._stop_listening(), self._loop).result(timeout=30)

    async def _stop_listening(self) -> None:
        """Accept nothing more, give what was accepted its connection, then close.

        A server that is closed between the two leaves an accepted socket to nobody (`Server._attach` asserts that it
        is open), and Python finds it unclosed in whatever test is running then.
        """
        listener, self._listener = self._listener, None
        if listener is not None:
            for listening in listener.sockets:
                self._loop.remove_reader(listening.fileno())
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            listener.close()

    def _reset_all(self) -> None:
        for connection in list(self._connections):
            connection.reset()

    def _abort_all(self) -> None:
        """End what no connection holds any more, or not yet: an upstream that came when its client had gone."""
        for transport in list(self._loop._transports.values()):  # type: ignore[attr-defined]
            transport.abort()

    async def _settle(self) -> None:
        # A reset connection still has callbacks to run: its own end, then its upstream's and its connector's.
        others = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.gather(*others, return_exceptions=True)
        for _ in range(5):
            await asyncio.sleep(0)

    def _silence_all(self) -> None:
        for connection in self._connections:
            connection.silence()

    def _on_loop(self, change: Callable[[], object]) -> None:
        async def run() -> None:
            change()

        asyncio.run_coroutine_threadsafe(run(), self._loop).result(timeout=30)

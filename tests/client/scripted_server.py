"""A real HTTP server on loopback that answers what a test has written down, request by request."""

import contextlib
import socket
import struct
import threading
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self


@dataclass(frozen=True)
class Reply:
    """One answer; `cut` resets the connection instead, `held` waits till the server is told to let go."""

    status: int = 200
    fields: dict[str, str] = field(default_factory=dict)
    body: bytes = b"{}"
    cut: bool = False
    held: bool = False


@dataclass(frozen=True)
class Got:
    """One request."""

    method: str
    path: str
    fields: dict[str, str]
    body: bytes
    port: int


class ScriptedServer:
    """Answers with the replies in turn, then with 200; a context manager."""

    def __init__(self) -> None:
        self.got: list[Got] = []
        self.let_go = threading.Event()
        self._replies: list[Reply] = []
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"script": self}))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def answers(self, *replies: Reply | int) -> None:
        """Say what comes next; a number is a status."""
        self._replies += [Reply(reply) if isinstance(reply, int) else reply for reply in replies]

    def take(self, got: Got) -> Reply:
        with self._lock:
            self.got.append(got)
            return self._replies.pop(0) if self._replies else Reply()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.let_go.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    script: ScriptedServer
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one segment an answer: else Nagle's algorithm and delayed acknowledgements take 40 ms each

    def __getattr__(self, name: str) -> Any:
        if name.startswith("do_"):
            return self._answer
        raise AttributeError(name)

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        fields = {name.lower(): value for name, value in self.headers.items()}
        reply = self.script.take(Got(self.command, self.path, fields, body, self.client_address[1]))
        if reply.held:
            self.script.let_go.wait(30)
        if reply.cut:
            self._reset()
        else:
            self._send(reply)

    def _send(self, reply: Reply) -> None:
        self.send_response_only(reply.status)
        for name, value in {"Date": formatdate(usegmt=True), **reply.fields}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body)

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the base class names it so
        """Say nothing."""

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError):  # the client went away, as a test meant it to
            super().handle()

    def finish(self) -> None:
        with contextlib.suppress(ConnectionError):
            super().finish()

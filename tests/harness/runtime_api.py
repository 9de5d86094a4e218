"""Lambda's Runtime API on loopback: a runtime, or the simulated web adapter, takes the events that a test invokes.

Source: "Using the Lambda runtime API", AWS Lambda developer guide, custom streaming responses included.
"""

import json
import select
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import SimpleQueue
from typing import Any, Self

_VERSION = "/2018-06-01/runtime/"
_PATIENCE_S = 10.0


class Invocation:
    """An event under way, and the pieces of its response, as they come in."""

    def __init__(self, event: dict[str, Any], timeout_ms: int) -> None:
        self.id = str(uuid.uuid4())
        self.event = event
        self.ends_ms = time.time_ns() // 1_000_000 + timeout_ms
        self._pieces: SimpleQueue[bytes | None] = SimpleQueue()

    def add(self, piece: bytes) -> None:
        self._pieces.put(piece)

    def end(self) -> None:
        self._pieces.put(None)

    def pieces(self) -> Iterator[bytes]:
        while (piece := self._pieces.get(timeout=_PATIENCE_S)) is not None:
            yield piece


class RuntimeApi:
    """The API of one execution environment; a context manager."""

    def __init__(self) -> None:
        self._waiting: SimpleQueue[Invocation | None] = SimpleQueue()
        self._running: dict[str, Invocation] = {}
        self.ready = threading.Event()  # a runtime has asked for an event
        self.restored = threading.Event()  # a runtime has asked for its restore
        self.failure: str | None = None
        api = self

        class Handler(_Handler):
            runtime = api

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for _ in range(4):
            self._waiting.put(None)
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def invoke(self, event: dict[str, Any], timeout_ms: int = 10_000) -> Invocation:
        """Hand an event to the next runtime that asks for one."""
        invocation = Invocation(event, timeout_ms)
        self._running[invocation.id] = invocation
        self._waiting.put(invocation)
        return invocation

    def renew(self) -> None:
        """Forget that a runtime was ready: another process begins."""
        self.ready.clear()
        self.restored.clear()

    def next(self, asker: Any) -> Invocation | None:
        """Return the next event; None if the asker is gone, or this API ends."""
        self.ready.set()
        while True:
            found = self._waiting.get()
            if found is None or _is_connected(asker):
                return found
            self._waiting.put(found)  # whoever asked was killed
            return None

    def running(self, invocation_id: str) -> Invocation:
        return self._running[invocation_id]


def _is_connected(connection: socket.socket) -> bool:
    readable, _, _ = select.select([connection], [], [], 0)
    return not readable or bool(connection.recv(1, socket.MSG_PEEK))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    runtime: RuntimeApi

    def log_message(self, *_: object) -> None:
        """Write no log."""

    def do_GET(self) -> None:
        if self.path.endswith("/restore/next"):
            self.runtime.restored.set()
            self._answer(200)
            return
        invocation = self.runtime.next(self.connection)
        if invocation is None:
            self.close_connection = True
            return
        self._answer(
            200,
            json.dumps(invocation.event).encode(),
            {
                "Lambda-Runtime-Aws-Request-Id": invocation.id,
                "Lambda-Runtime-Deadline-Ms": str(invocation.ends_ms),
                "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:us-east-1:000000000000:function:shop:live",
                "Content-Type": "application/json",
            },
        )

    def do_POST(self) -> None:
        parts = self.path.removeprefix(_VERSION).split("/")
        if parts[0] != "invocation":
            self.runtime.failure = b"".join(self._body()).decode()
            self._answer(202)
            return
        invocation = self.runtime.running(parts[1])
        for piece in self._body():
            invocation.add(piece)
        invocation.end()
        self._answer(202)

    def _body(self) -> Iterator[bytes]:
        if self.headers.get("transfer-encoding") != "chunked":
            yield self.rfile.read(int(self.headers.get("content-length") or 0))
            return
        while size := int(self.rfile.readline().strip(), 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()

    def _answer(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

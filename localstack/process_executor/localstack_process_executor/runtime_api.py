"""Lambda's Runtime API, on a loopback port of its own for each process.

Source: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html. The process asks for its next invocation and
waits for the answer; what it says is put into a queue, which the environment reads.
"""

import json
import socket
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import SimpleQueue
from typing import Any

from localstack_process_executor import faults
from localstack_process_executor.function import Invocation

_LOOPBACK = "127.0.0.1"
_PREFIX = "/2018-06-01/runtime/"


@dataclass(frozen=True)
class Asked:
    """The process asked for an invocation: it is initialised, and idle."""


@dataclass(frozen=True)
class Answered:
    """The handler's result, or the error that it raised."""

    request_id: str
    payload: bytes
    is_error: bool


@dataclass(frozen=True)
class InitFailed:
    """The handler can't be had; the payload is the runtime's error object."""

    payload: bytes


@dataclass(frozen=True)
class Ended:
    """The process is gone; its exit status, or minus the number of the signal that killed it."""

    status: int


Event = Asked | Answered | InitFailed | Ended


class RuntimeApi:
    """Serves one process.

    Args:
        events: where to put what the process says.
    """

    def __init__(self, events: SimpleQueue[Event]) -> None:
        self._events = events
        self._changed = threading.Condition()
        self._offered: tuple[Invocation, float] | None = None
        self._current: str | None = None
        self._ended = False
        self._server = _Server((_LOOPBACK, 0), _handler_for(self))
        threading.Thread(target=self._server.accept_all, name="runtime-api", daemon=True).start()

    @property
    def address(self) -> str:
        """The value of AWS_LAMBDA_RUNTIME_API."""
        return f"{_LOOPBACK}:{self._server.server_port}"

    def offer(self, invocation: Invocation, deadline_epoch_s: float) -> None:
        """Hand an invocation to the process, at once or when it next asks."""
        with self._changed:
            self._offered = (invocation, deadline_epoch_s)
            self._changed.notify_all()

    def end(self) -> None:
        """Give no more invocations: a connection that waits for one is closed."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def close(self) -> None:
        """Stop serving; call it once the process is gone."""
        self.end()
        self._server.stop()

    def take(self) -> tuple[Invocation, float] | None:
        """Wait for an invocation and its deadline; None when there will be none."""
        self._events.put(Asked())
        with self._changed:
            self._changed.wait_for(lambda: self._ended or self._offered)
            taken, self._offered = self._offered, None
            if self._ended or taken is None:
                return None
            self._current = taken[0].request_id
            return taken

    def settle(self, request_id: str, payload: bytes, *, is_error: bool) -> bool:
        """Take the result of the invocation that is under way; False if another one is, or none."""
        with self._changed:
            if request_id != self._current:
                return False
            self._current = None
        self._events.put(Answered(request_id, payload, is_error))
        return True

    def fail_init(self, payload: bytes) -> None:
        """Take the error of an initialisation."""
        self._events.put(InitFailed(payload))


class _Server(ThreadingHTTPServer):
    """Accepts without polling: `serve_forever` would wake up twice a second for each environment."""

    daemon_threads = True
    _stopping = False

    def accept_all(self) -> None:
        with self.socket:
            while not self._stopping:
                try:
                    self.process_request(*self.get_request())
                except OSError:  # the client was gone before it was served
                    continue

    def stop(self) -> None:
        self._stopping = True
        # It wakes the accepting thread, on any system; closing the socket under it doesn't.
        with socket.create_connection((_LOOPBACK, self.server_port), timeout=5):
            pass

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A process that is killed breaks its connections: nothing to report."""


def _handler_for(api: RuntimeApi) -> type[BaseHTTPRequestHandler]:
    return type("Handler", (_Handler,), {"api": api})


class _Handler(BaseHTTPRequestHandler):
    api: RuntimeApi
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body leave together
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        if self.path != f"{_PREFIX}invocation/next":
            self._refuse(404, "InvalidRequest", f"There is no {self.path} here.")
            return
        taken = self.api.take()
        if taken is None:
            self.close_connection = True
            return
        invocation, deadline_epoch_s = taken
        headers = {
            "Content-Type": "application/json",
            "Lambda-Runtime-Aws-Request-Id": invocation.request_id,
            "Lambda-Runtime-Deadline-Ms": str(int(deadline_epoch_s * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": invocation.function_arn,
        }
        if invocation.trace_id:
            headers["Lambda-Runtime-Trace-Id"] = invocation.trace_id
        self._send(200, invocation.payload, headers)

    def do_POST(self) -> None:
        payload = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        match self.path.removeprefix(_PREFIX).split("/"):
            case ["init", "error"]:
                self.api.fail_init(payload)
            case ["invocation", request_id, "response"] if len(payload) > faults.MAX_PAYLOAD_BYTES:
                self.api.settle(request_id, faults.too_large(len(payload)), is_error=True)
            case ["invocation", request_id, "response" | "error" as kind]:
                if not self.api.settle(request_id, payload, is_error=kind == "error"):
                    self._refuse(400, "InvalidRequestID", "Invalid request ID")
                    return
            case _:
                self._refuse(404, "InvalidRequest", f"There is no {self.path} here.")
                return
        self._send(202, b'{"status":"OK"}', {"Content-Type": "application/json"})

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is http.server's
        """Requests of the runtime are nobody's news."""

    def _refuse(self, status: int, kind: str, message: str) -> None:
        body = json.dumps({"errorType": kind, "errorMessage": message}).encode()
        self._send(status, body, {"Content-Type": "application/json"})

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


def deadline_in(timeout_s: float) -> float:
    """Return the moment, in seconds since the epoch, at which so much time will be over."""
    return time.time() + timeout_s

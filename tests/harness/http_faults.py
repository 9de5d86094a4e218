"""An HTTP server in front of DynamoDB: answers AWS's own errors when told to, passes the rest on."""

import contextlib
import http.client
import json
import sys
import threading
import uuid
import zlib
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, ClassVar, Self

_COPIED = ("content-type", "x-amz-crc32", "x-amzn-requestid")


@dataclass(frozen=True)
class AwsError:
    """An error as DynamoDB puts it on the wire."""

    status: int
    code: str
    message: str
    namespace: str = "com.amazonaws.dynamodb.v20120810"


THROTTLED = AwsError(400, "ProvisionedThroughputExceededException", "The level of configured throughput was exceeded.")
REQUEST_LIMIT = AwsError(400, "RequestLimitExceeded", "Throughput exceeds the current limit for your account.")
INTERNAL = AwsError(500, "InternalServerError", "The request could not be completed.")
UNAVAILABLE = AwsError(503, "ServiceUnavailable", "The service is currently unavailable or busy.")
EXPIRED = AwsError(
    400,
    "ExpiredTokenException",
    "The security token included in the request is expired",
    "com.amazon.coral.service",
)


class HttpFaults:
    """Listens on a loopback port of its own; `fail` starts an error, `heal` ends it."""

    def __init__(self, target_port: int, *, target_host: str = "127.0.0.1") -> None:
        self._target = (target_host, target_port)
        self._lock = threading.Lock()
        self._error: AwsError | None = None
        self._remaining: int | None = None
        self._operations: list[str] = []
        self._failed = 0
        handler = type("Handler", (_Handler,), {"faults": self})
        self._server = _Server(("127.0.0.1", 0), handler)
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, name="http-faults", daemon=True
        )
        self._thread.start()

    @property
    def endpoint_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def operations(self) -> list[str]:
        """The operations asked for since the start, those that were failed included."""
        return list(self._operations)

    @property
    def failed(self) -> int:
        """How many were answered with an error."""
        return self._failed

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def fail(self, error: AwsError, *, times: int | None = None) -> None:
        """Every request, or the next `times`, is answered with this error and not carried out."""
        with self._lock:
            self._error, self._remaining = error, times

    def heal(self) -> None:
        """Passes everything on again."""
        with self._lock:
            self._error, self._remaining = None, None

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def next_error(self, operation: str) -> AwsError | None:
        """For the handler: notes the operation and says what it is answered."""
        with self._lock:
            self._operations.append(operation)
            error = self._error
            if error is None:
                return None
            self._failed += 1
            if self._remaining is not None:
                self._remaining -= 1
                if self._remaining <= 0:
                    self._error = None
            return error

    def forward(self, path: str, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, str], bytes]:
        """For the handler: the real server's answer."""
        upstream = http.client.HTTPConnection(*self._target, timeout=30)
        try:
            upstream.request("POST", path, body=body, headers=headers)
            answer = upstream.getresponse()
            kept = {name: value for name in _COPIED if (value := answer.getheader(name)) is not None}
            return answer.status, kept, answer.read()
        finally:
            upstream.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that has hung up is none of this server's errors."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 10
    disable_nagle_algorithm = True  # else an answer's body waits 40 ms for its headers' acknowledgement
    faults: ClassVar[HttpFaults]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        operation = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
        error = self.faults.next_error(operation)
        if error is None:
            self._answer(*self.faults.forward(self.path, dict(self.headers.items()), body))
            return
        fault = {"__type": f"{error.namespace}#{error.code}", "message": error.message}
        content = json.dumps(fault).encode()
        headers = {
            "content-type": "application/x-amz-json-1.0",
            "x-amz-crc32": str(zlib.crc32(content)),
            "x-amzn-requestid": uuid.uuid4().hex,
        }
        self._answer(error.status, headers, content)

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with contextlib.suppress(ConnectionError):  # a client that has given up
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 -- the base class names it so
        """Nothing: the test says what it expects of the traffic."""

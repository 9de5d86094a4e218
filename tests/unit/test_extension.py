"""The layer's extension, against Lambda's Extensions API as its documentation has it."""

import http.server
import json
import os
import subprocess
import threading
from pathlib import Path

import pytest

EXTENSION = Path(__file__).resolve().parents[2] / "layers" / "tidegate" / "extensions" / "tidegate"
_PATIENCE_S = 30


class Api(http.server.BaseHTTPRequestHandler):
    """Registers one extension, and answers /event/next when the environment ends."""

    protocol_version = "HTTP/1.1"
    server: "Runtime"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append((self.path, self.headers["Lambda-Extension-Name"], json.loads(body)))
        self._answer({"functionName": "shop"}, identifier="b0b2")

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers["Lambda-Extension-Identifier"], None))
        self.server.waiting.set()
        self.server.ends.wait(_PATIENCE_S)
        self._answer({"eventType": "SHUTDOWN", "shutdownReason": "spindown"})

    def log_message(self, *args: object) -> None:
        """Not on the tests' output."""

    def _answer(self, document: dict[str, str], identifier: str | None = None) -> None:
        body = json.dumps(document).encode()
        self.send_response(self.server.status)
        if identifier:
            self.send_header("Lambda-Extension-Identifier", identifier)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Runtime(http.server.ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Api)
        self.status = 200
        self.asked: list[tuple[str, str, object]] = []
        self.waiting, self.ends = threading.Event(), threading.Event()


@pytest.fixture
def runtime():
    with Runtime() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.ends.set()
        server.shutdown()
        thread.join()


def start(runtime: Runtime) -> subprocess.Popen:
    address = f"127.0.0.1:{runtime.server_address[1]}"
    return subprocess.Popen([EXTENSION], env={"PATH": os.environ["PATH"], "AWS_LAMBDA_RUNTIME_API": address})


def test_it_registers_for_the_end_alone_waits_and_ends(runtime):
    with start(runtime) as process:
        assert runtime.waiting.wait(_PATIENCE_S)
        assert process.poll() is None
        runtime.ends.set()
        assert process.wait(_PATIENCE_S) == 0
    assert runtime.asked == [
        ("/2020-01-01/extension/register", "tidegate", {"events": ["SHUTDOWN"]}),
        ("/2020-01-01/extension/event/next", "b0b2", None),
    ]


def test_what_lambda_refuses_is_an_error(runtime):
    runtime.status = 403
    with start(runtime) as process:
        assert process.wait(_PATIENCE_S) == 1
    assert len(runtime.asked) == 1


def test_it_can_be_executed():
    assert os.access(EXTENSION, os.X_OK)

"""A container's health check: LocalStack is up when its init scripts have run and none of them failed."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from tidegate_localstack.healthy import unwell

from tests.harness.ports import free_port


@pytest.fixture
def localstack():
    """`localstack(ready, **states)` answers so of its scripts; returns the address."""
    servers = []

    def serve(ready, **states):
        scripts = [{"stage": "START", "name": name, "state": state} for name, state in states.items()]
        told = json.dumps({"completed": {"READY": ready}, "scripts": scripts}).encode()

        class Answer(BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200 if self.path == "/_localstack/init" else 404)
                self.end_headers()
                self.wfile.write(told)

            def log_message(self, *_):
                """Nothing: the test says what failed."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"127.0.0.1:{server.server_port}"

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


def test_it_is_up_when_its_scripts_have_run(localstack):
    assert unwell(localstack(True, aliases="SUCCESSFUL")) is None


def test_it_is_not_up_while_its_scripts_are_at_work(localstack):
    assert unwell(localstack(False, aliases="RUNNING")) == "the init scripts are at work"


def test_a_script_that_failed_is_named(localstack):
    assert unwell(localstack(True, aliases="ERROR", logs="SUCCESSFUL")) == "failed: aliases"


def test_nobody_there_is_not_up():
    address = f"127.0.0.1:{free_port()}"
    assert f"nothing answers at {address}" in str(unwell(address))

"""A controller that can't start says so, by the standard library alone, to whoever waits."""

from __future__ import annotations

import contextlib
import importlib
import json
import subprocess
import sys
import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from functions.rollout import codedeploy, hook, last_word, signed
from functions.rollout import handler as controller

HOOKED = {"DeploymentId": "d-1", "LifecycleEventHookExecutionId": "an-execution"}
ENVIRON = {
    "AWS_REGION": "eu-west-1",
    "AWS_ACCESS_KEY_ID": "AKID",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_SESSION_TOKEN": "a token",
}


@pytest.fixture
def waiting():
    """Stand where somebody waits: `url`, and what was `told` there."""
    told = []

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self):  # the standard library's name
            told.append((dict(self.headers), json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_POST = do_PUT  # noqa: N815  # the standard library's name

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield SimpleNamespace(url=f"http://127.0.0.1:{server.server_port}/", told=told)
        server.shutdown()


@pytest.fixture
def broken(monkeypatch):
    """Load a handler's module while something that it needs can't be imported."""

    @contextlib.contextmanager
    def load(module, lacking):
        with monkeypatch.context() as patched:
            patched.setitem(sys.modules, lacking, None)
            patched.delattr(lacking, raising=False)  # the package would hand over what it has loaded
            importlib.reload(module)
            try:
                yield module
            finally:
                patched.undo()
                importlib.reload(module)

    return load


def request(kind, url):
    return {"RequestType": kind, "ResponseURL": url, "StackId": "s", "RequestId": "r", "LogicalResourceId": "l"}


@pytest.mark.parametrize("kind", ["Create", "Update"])
def test_cloudformation_hears_the_cause_at_once(broken, waiting, kind):
    with broken(controller, "functions.rollout.states"), pytest.raises(RuntimeError, match="can't start"):
        controller.handler(request(kind, waiting.url), None)
    ((_, body),) = waiting.told
    assert body["Status"] == "FAILED"
    assert body["Reason"].startswith("The controller of releases can't start: ModuleNotFoundError: ")
    assert "functions.rollout.states" in body["Reason"]
    assert (body["StackId"], body["RequestId"], body["LogicalResourceId"]) == ("s", "r", "l")
    assert body["PhysicalResourceId"]


def test_a_stack_that_is_deleted_goes_all_the_same(broken, waiting):
    with broken(controller, "functions.rollout.begin"), pytest.raises(RuntimeError):
        controller.handler(request("Delete", waiting.url), None)
    assert waiting.told[0][1]["Status"] == "SUCCESS"


def test_the_machine_s_answer_is_given_and_its_other_calls_fail(broken, waiting):
    document = {"answer": request("Update", waiting.url), "outcome": "SUCCESS"}
    with broken(controller, "functions.rollout.begin"):
        for action in ("judge", "answer"):
            with pytest.raises(RuntimeError, match="can't start"):
                controller.handler({"action": action, "document": document}, None)
    assert [body["Status"] for _, body in waiting.told] == ["FAILED"]


def test_it_takes_the_standard_library_alone():
    code = (
        "import sys\n"
        "sys.modules.update(dict.fromkeys(['boto3', 'botocore', 'redis', 'tidegate', 'functions.rollout.begin']))\n"
        "from functions.rollout import handler, hook\n"
        "assert handler.broken and not hook.broken, (handler.broken, hook.broken)\n"
    )
    subprocess.run([sys.executable, "-I", "-c", f"import sys; sys.path[:0] = ['.']\n{code}"], check=True)


def test_the_controller_needs_nothing_of_the_library():
    code = (
        "import sys; sys.path[:0] = ['.']\n"
        "sys.modules['tidegate'] = None\n"
        "from functions.rollout import handler, hook, counts_in_redis, counts_in_dynamodb\n"
        "assert not handler.broken and not hook.broken, (handler.broken, hook.broken)\n"
    )
    subprocess.run([sys.executable, "-I", "-c", code], check=True)


def test_codedeploy_is_told_that_the_hook_failed(broken, waiting, monkeypatch):
    for name, value in {**ENVIRON, "AWS_ENDPOINT_URL": waiting.url}.items():
        monkeypatch.setenv(name, value)
    with broken(hook, "functions.rollout.codedeploy"), pytest.raises(RuntimeError, match="can't start"):
        hook.handler(HOOKED, None)
    ((headers, body),) = waiting.told
    assert body == {
        "deploymentId": "d-1",
        "lifecycleEventHookExecutionId": "an-execution",
        "status": "Failed",
    }
    named = {name.lower(): value for name, value in headers.items()}
    assert named["x-amz-target"].endswith(".PutLifecycleEventHookExecutionStatus")
    assert named["content-type"] == "application/x-amz-json-1.1"


@pytest.mark.parametrize("failing", ["client", "report"])
def test_codedeploy_is_told_of_a_hook_that_can_t_report(waiting, monkeypatch, failing):
    def fail(*_):
        raise LookupError("no service codedeploy")

    for name, value in {**ENVIRON, "AWS_ENDPOINT_URL": waiting.url}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(codedeploy, "client", lambda service: None)
    monkeypatch.setattr(codedeploy, failing, fail)
    with pytest.raises(LookupError):
        hook.handler(HOOKED, SimpleNamespace(get_remaining_time_in_millis=lambda: 900_000))
    assert [(body["deploymentId"], body["status"]) for _, body in waiting.told] == [("d-1", "Failed")]


def test_a_status_that_can_t_be_given_hides_no_cause(monkeypatch, caplog):
    def fail(*_):
        raise LookupError("the cause")

    monkeypatch.setattr(codedeploy, "client", fail)
    monkeypatch.setattr(signed, "refuse", lambda *_: (_ for _ in ()).throw(OSError("no route")))
    with pytest.raises(LookupError, match="the cause"):
        hook.handler(HOOKED, SimpleNamespace(get_remaining_time_in_millis=lambda: 900_000))
    assert "no route" in caplog.text


@pytest.mark.parametrize("region", ["eu-west-1", "cn-north-1"])
@pytest.mark.parametrize("token", ["a token", ""])
def test_its_signature_is_botocore_s(region, token):
    environ = {**ENVIRON, "AWS_REGION": region, "AWS_SESSION_TOKEN": token}
    now = datetime(2026, 11, 28, 12, 0, 1, tzinfo=UTC)
    made = signed.refusal(HOOKED, environ, now)
    assert urlsplit(made.full_url).netloc.endswith(".cn") is region.startswith("cn-")
    told = {name: made.get_header(name) for name in ("Content-type", "X-amz-target", "X-amz-date")}
    theirs = AWSRequest("POST", made.full_url, told, made.data)
    if token:
        theirs.headers["X-Amz-Security-Token"] = token
    theirs.context["timestamp"] = made.get_header("X-amz-date")
    auth = SigV4Auth(Credentials("AKID", "secret", token or None), "codedeploy", region)
    signature = auth.signature(auth.string_to_sign(theirs, auth.canonical_request(theirs)), theirs)
    assert made.get_header("Authorization").endswith(f"Signature={signature}")


def test_a_reason_is_short_enough_for_cloudformation():
    assert len(last_word.reason(ImportError("x" * 9000))) < 2000

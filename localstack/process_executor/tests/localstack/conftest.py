"""A LocalStack that is really started, with this plugin alone."""

import importlib.util
import io
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

_INHERITED = ("HOME", "LANG", "LD_LIBRARY_PATH", "PATH")


@dataclass(frozen=True)
class LocalStack:
    """One that runs; `process` is for tests that end it."""

    url: str
    process: subprocess.Popen[bytes]

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"total_max_attempts": 1}, read_timeout=120, proxies={}),
        )


Start = Callable[..., LocalStack]


@pytest.fixture(scope="session")
def localstack_python() -> str:
    """The interpreter of LocalStack's environment, in which this package is installed, too."""
    if named := os.environ.get("LOCALSTACK_PYTHON"):
        return named
    if importlib.util.find_spec("localstack") is None:
        pytest.skip("LOCALSTACK_PYTHON names no interpreter, and this one has no LocalStack.")
    return sys.executable


@pytest.fixture(scope="session")
def start_localstack(
    tmp_path_factory: pytest.TempPathFactory, localstack_python: str, eventually: Callable[..., Any]
) -> Iterator[Start]:
    """Start a LocalStack of one's own, with settings of one's own."""
    started: list[subprocess.Popen[bytes]] = []

    def start(**settings: str) -> LocalStack:
        folder, port = tmp_path_factory.mktemp("localstack"), _free_port()
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [localstack_python, "-m", "localstack.runtime.main"],
                env={**_environ(folder, port), **settings},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C belongs to the test run, which then ends it itself
            )
        started.append(process)
        url = f"http://127.0.0.1:{port}"
        eventually(lambda: process.poll() is not None or _is_ready(url), within_s=180)
        assert process.poll() is None, (folder / "log").read_text()
        return LocalStack(url, process)

    yield start
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.fixture(scope="session")
def localstack(start_localstack: Start) -> LocalStack:
    """The one that most tests share."""
    return start_localstack()


@pytest.fixture
def make_function() -> Callable[..., Callable[..., Any]]:
    """Create a function on a LocalStack; returns how to invoke it."""

    def make(localstack: LocalStack, name: str, code: str, **settings: Any) -> Callable[..., Any]:
        client = localstack.client("lambda")
        client.create_function(
            **{
                "FunctionName": name,
                "Runtime": "python3.13",
                "Handler": "app.handler",
                "Role": "arn:aws:iam::000000000000:role/functions",
                "Code": {"ZipFile": _zipped({"app.py": code})},
                "Timeout": 60,
                **settings,
            }
        )
        client.get_waiter("function_active_v2").wait(FunctionName=name)

        def invoke(event: Any = None, **options: Any) -> Any:
            answer = client.invoke(FunctionName=name, Payload=json.dumps(event or {}), **options)
            return json.loads(answer["Payload"].read())

        return invoke

    return make


@pytest.fixture
def zipped() -> Callable[[Mapping[str, str]], bytes]:
    """Pack files by their names into an archive."""
    return _zipped


def _zipped(files: Mapping[str, str]) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as opened:
        for name, text in files.items():
            opened.writestr(name, text)
    return archive.getvalue()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _environ(folder: Path, port: int) -> dict[str, str]:
    (folder / "root").mkdir()
    (folder / "tmp").mkdir()
    address = f"127.0.0.1:{port}"
    return {
        **{name: os.environ[name] for name in _INHERITED if name in os.environ},
        "TMPDIR": str(folder / "tmp"),
        "LOCALSTACK_VOLUME_DIR": str(folder / "volume"),
        "FILESYSTEM_ROOT": str(folder / "root"),
        "OVERRIDE_IN_DOCKER": "0",
        "GATEWAY_LISTEN": address,
        "LOCALSTACK_HOST": address,
        "LAMBDA_RUNTIME_EXECUTOR": "process",
        "SKIP_SSL_CERT_DOWNLOAD": "1",
        "DISABLE_EVENTS": "1",
        "DNS_ADDRESS": "0",
        "PYTHONUNBUFFERED": "1",
    }


def _is_ready(url: str) -> bool:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(f"{url}/_localstack/init", timeout=5) as answer:
            return json.load(answer)["completed"]["READY"]
    except (OSError, urllib.error.URLError):
        return False

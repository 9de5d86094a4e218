"""LocalStack in host mode, really started; its environment is made first where there is none (some minutes, once)."""

import io
import os
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest
from botocore.config import Config

from tests.harness.ports import free_port
from tests.harness.server_process import ServerProcess

ROLE = "arn:aws:iam::000000000000:role/functions"
_INIT_SCRIPTS = Path(__file__).parents[2] / "localstack" / "init"
_INHERITED = ("HOME", "LANG", "LD_LIBRARY_PATH", "PATH")


@dataclass(frozen=True)
class LocalStack:
    """One that runs."""

    url: str
    pid: int

    def client(self, service: str) -> Any:
        config = Config(retries={"total_max_attempts": 1}, read_timeout=120)
        return boto3.client(service, endpoint_url=self.url, config=config)


@pytest.fixture(scope="session")
def localstack_python() -> str:
    """The interpreter of LocalStack's environment, which is made if LOCALSTACK_PYTHON names none."""
    named = os.environ.get("LOCALSTACK_PYTHON")
    if named:
        return named
    from tidegate_local.engines import host_environment  # noqa: PLC0415 - only where it has to be made

    return str(host_environment.ensure())


@pytest.fixture(scope="session")
def localstack(tmp_path_factory: pytest.TempPathFactory, localstack_python: str) -> Iterator[LocalStack]:
    """The one that all tests share."""
    folder, port = tmp_path_factory.mktemp("localstack"), free_port()
    process = ServerProcess(
        [localstack_python, "-m", "localstack.runtime.main"], log=folder / "log", env=_environ(folder, port)
    )
    url = f"http://127.0.0.1:{port}"
    try:
        process.launch()
        process.wait_until(lambda: _is_ready(url), deadline_s=180)
        yield LocalStack(url, process.pid)
    finally:
        process.kill()


def zipped(files: Mapping[str, str]) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as opened:
        for name, text in files.items():
            opened.writestr(name, text)
    return archive.getvalue()


def _environ(folder: Path, port: int) -> dict[str, str]:
    root = folder / "root"
    (root / "etc" / "localstack").mkdir(parents=True)
    (root / "etc" / "localstack" / "init").symlink_to(_INIT_SCRIPTS)
    (folder / "tmp").mkdir()
    address = f"127.0.0.1:{port}"
    return {
        **{name: os.environ[name] for name in _INHERITED if name in os.environ},
        "TMPDIR": str(folder / "tmp"),
        "LOCALSTACK_VOLUME_DIR": str(folder / "volume"),
        "FILESYSTEM_ROOT": str(root),
        "OVERRIDE_IN_DOCKER": "0",
        "GATEWAY_LISTEN": address,
        "GATEWAY_SERVER": "loopback",
        "LOCALSTACK_HOST": address,
        "LAMBDA_RUNTIME_EXECUTOR": "process",
        "PROVIDER_OVERRIDE_DYNAMODB": "moto",
        "SKIP_SSL_CERT_DOWNLOAD": "1",
        "DISABLE_EVENTS": "1",
        "DNS_ADDRESS": "0",
        "PYTHONUNBUFFERED": "1",
    }


def _is_ready(url: str) -> bool:
    try:
        answer = httpx.get(f"{url}/_localstack/init", timeout=5, trust_env=False)
    except httpx.HTTPError:
        return False
    return answer.is_success and answer.json()["completed"]["READY"]

"""The engine: MiniStack as a process of ours, or an endpoint that runs already."""

import hashlib
import os
import sys
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import httpx

from tidegate_local import ports
from tidegate_local.errors import EndpointError, StartError, log_tail
from tidegate_local.layout import StateFolder
from tidegate_local.processes import is_running, spawn, stop
from tidegate_local.registry import ManagedProcess, ProcessRegistry

NAME = "engine"
PORT = 4566
_START_DEADLINE_S = 30.0
_POLL_TIMEOUT_S = 1.0
# How long an engine that runs may take to say that it is well.
_PATIENCE_S = 5.0
# All that the engine's process gets from the developer's environment: MiniStack hands its own on to functions.
_INHERITED = ("HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PATH", "TZ")


@dataclass(frozen=True)
class Engine:
    """An engine that answers; `version` is what its health says, `process` is None if it isn't ours."""

    kind: Literal["ministack", "external"]
    url: str
    version: str
    process: ManagedProcess | None


def attach(endpoint_url: str, registry: ProcessRegistry) -> Engine:
    """Return the engine at a given endpoint; one of ours that runs elsewhere is stopped.

    Raises:
        EndpointError: the URL is malformed, or nothing there speaks LocalStack's API.
    """
    url = _checked(endpoint_url)
    health = _health(url, timeout_s=_PATIENCE_S)
    if isinstance(health, str):
        raise EndpointError(
            f"No LocalStack-compatible endpoint answers at {url} ({health}). "
            "Start it, correct the URL, or leave --endpoint away to have an engine started."
        )
    ours = registry.running(NAME)
    if ours and ours.url == url:
        return Engine("ministack", url, str(health.get("version", "?")), ours)
    registry.stop(NAME)
    return Engine("external", url, str(health.get("version", "?")), None)


def ensure(folder: StateFolder, registry: ProcessRegistry) -> Engine:
    """Return our engine, started if it isn't running: at 4566 (or where it ran before), else the next free port.

    Raises:
        StartError: it died or stayed silent while starting; the message has the end of its log.
    """
    running = registry.running(NAME)
    if running and running.build == build():
        health = _health(running.url, timeout_s=_PATIENCE_S)
        if not isinstance(health, str):
            return Engine("ministack", running.url, str(health.get("version", "?")), running)
    before = registry.find(NAME)
    registry.stop(NAME)
    return _start(folder, registry, first_port=(before and urlsplit(before.url).port) or PORT)


def build() -> str:
    """Name what an engine is made of: a running one of another make is replaced, not reused."""
    digest = hashlib.sha256(sys.executable.encode())
    for name in ("engine_process.py", "log_drain.py", "weighted_aliases.py"):
        digest.update(Path(__file__).with_name(name).read_bytes())
    return f"ministack-{version('ministack')}-{digest.hexdigest()[:12]}"


def _checked(endpoint_url: str) -> str:
    try:
        parts = urlsplit(endpoint_url)
    except ValueError:  # an IPv6 address without its closing bracket, say
        parts = urlsplit("")
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise EndpointError(f"{endpoint_url!r} is no endpoint. One looks like http://127.0.0.1:4566.")
    return endpoint_url.rstrip("/")


def _start(folder: StateFolder, registry: ProcessRegistry, first_port: int) -> Engine:
    log = folder.logs / "engine.log"
    folder.engine_scratch.mkdir(parents=True, exist_ok=True)
    with ports.listen_from(first_port) as listener:
        port = int(listener.getsockname()[1])
        url = f"http://{ports.LOOPBACK}:{port}"
        identity = spawn(
            [sys.executable, "-m", "tidegate_local.engine_process"],
            env=_environment(folder, port),
            log=log,
            inherit=(listener.fileno(), ports.ENGINE_SOCKET),
        )
    process = ManagedProcess(NAME, identity, url, build())
    try:
        registry.record(process)
        health = _wait(process, log)
    except BaseException:
        stop(identity)
        registry.stop(NAME)
        raise
    return Engine("ministack", url, health, process)


def _environment(folder: StateFolder, port: int) -> dict[str, str]:
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    return inherited | {
        "BIND_HOST": ports.LOOPBACK,
        "GATEWAY_PORT": str(port),
        "TMPDIR": str(folder.engine_scratch),
        "LAMBDA_EXECUTOR": "local",
        # It would look for containers to clean up on a Docker that has nothing to do with this.
        "DOCKER_HOST": f"unix://{folder.engine_scratch}/no-docker.sock",
        # These two would listen on all interfaces.
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
    }


def _wait(process: ManagedProcess, log: Path) -> str:
    """Wait until it answers its health; returns its version."""
    deadline = time.monotonic() + _START_DEADLINE_S
    while time.monotonic() < deadline:
        # The socket listens since before the process was born, so a call waits in its backlog meanwhile.
        health = _health(process.url, timeout_s=_POLL_TIMEOUT_S)
        if not isinstance(health, str):
            return str(health.get("version", "?"))
        if not is_running(process.identity):
            raise StartError(f"The engine died while starting. The end of its log, {log_tail(log)}")
        time.sleep(0.02)
    raise StartError(f"The engine did not answer within {_START_DEADLINE_S:.0f} s. The end of its log, {log_tail(log)}")


def _health(url: str, timeout_s: float) -> dict[str, object] | str:
    """What an endpoint says of its health; a string is the reason why there is nothing."""
    try:
        # trust_env off: a proxy must not stand between this and loopback.
        answer = httpx.get(f"{url}/_localstack/health", timeout=timeout_s, trust_env=False)
        answer.raise_for_status()
        told = answer.json()
    except httpx.HTTPError as error:
        return str(error) or type(error).__name__
    except ValueError:
        return "its /_localstack/health is not JSON"
    return told if isinstance(told, dict) else "its /_localstack/health is not an object"

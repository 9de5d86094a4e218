"""Ports, disk, the C compiler and a Redis server: what the machine brings."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from tidegate_local import ports
from tidegate_local.doctor.finding import Finding, failure, ok, warning
from tidegate_local.doctor.programs import version_said
from tidegate_local.engines.engine import PORT, PROCESS
from tidegate_local.errors import StartError
from tidegate_local.layout import StateFolder, project_folder
from tidegate_local.redis import build as redis_build
from tidegate_local.redis import server as redis_server
from tidegate_local.redis import valkey_wheel
from tidegate_local.registry import ProcessRegistry

_GB = 1_000_000_000
# .venv, the layers, Node and the CDK CLI; LocalStack's own environment is as much again.
NEEDED_BYTES, AMPLE_BYTES = 1 * _GB, 3 * _GB
_REDIS = "Redis"


def findings(folder: StateFolder) -> Iterator[Finding]:
    """Look at each."""
    yield of_disk(shutil.disk_usage(project_folder()).free)
    yield _port(ProcessRegistry(folder.processes_file))
    yield _redis()


def of_disk(free_bytes: int) -> Finding:
    """Judge the room beside the checkout."""
    found = f"{free_bytes / _GB:.1f} GB free"
    if free_bytes < NEEDED_BYTES:
        return failure("disk", found, "About 1 GB is needed for tools and built layers: make room.")
    if free_bytes < AMPLE_BYTES:
        return warning("disk", found, "Enough for the embedded engine; LocalStack's packages need 2 GB more.")
    return ok("disk", found)


def of_port(port: int, *, ours: bool) -> Finding:
    """Judge the port that an engine gets: 4566, or the next one that is free."""
    if ours:
        return ok("port", f"our engine has {port}")
    if port != PORT:
        return warning(
            "port", f"{PORT} is taken; an engine would get {port}", "Only what takes 4566 for granted minds that."
        )
    return ok("port", f"{port} is free")


def of_redis(
    given: tuple[str, str | None] | None, server: str | None, here: str | None, *, wheel: bool, compiler: bool
) -> Finding:
    """Judge where a Redis comes from.

    Args:
        given: REDIS_URL and what answers there, if it is set.
        server: the version of the server on PATH, if there is one.
        here: the name of the server that was fetched or built for this checkout, if there is one.
        wheel: whether one can be fetched.
        compiler: whether one could be built.
    """
    if given is not None:
        url, version = given
        if version is None:
            return failure(
                _REDIS, f"REDIS_URL is {url}, where none answers", "Correct it, or unset it to have one started."
            )
        return ok(_REDIS, f"{version} at REDIS_URL; the scenarios can't kill it")
    if server is not None:
        return ok(_REDIS, f"{server} on PATH")
    if here:
        return ok(_REDIS, f"{here} of this checkout")
    return _of_none(wheel=wheel, compiler=compiler)


def _of_none(*, wheel: bool, compiler: bool) -> Finding:
    if wheel:
        return ok(_REDIS, "no server on PATH: `make up` fetches one, 1.6 MB")
    if compiler:
        return warning(_REDIS, "no server on PATH", "`make up` builds one from source, once, in about a minute.")
    return failure(_REDIS, "no server on PATH, and no C compiler and make to build one", redis_build.OTHERWISE)


def _port(registry: ProcessRegistry) -> Finding:
    engine = registry.running(PROCESS)
    if engine is not None:
        return of_port(int(engine.url.rsplit(":", 1)[-1]), ours=True)
    try:
        with ports.listen_from(PORT) as listener:
            return of_port(listener.getsockname()[1], ours=False)
    except StartError as error:
        return failure("port", f"none is free from {PORT} on", str(error))


def _redis() -> Finding:
    url = os.environ.get("REDIS_URL")
    given = (redis_server.without_password(url), redis_server.version(url)) if url else None
    on_path, here = redis_server.on_path(), redis_server.made_here()
    return of_redis(
        given,
        _version(on_path) if on_path else None,
        _version(here) if here else None,
        wheel=valkey_wheel.fits(),
        compiler=not redis_build.missing_tools(),
    )


def _version(server: Path) -> str:
    words = (version_said(server) or "").split()
    return f"{server.name} {next((word[2:] for word in words if word.startswith('v=')), '?')}"

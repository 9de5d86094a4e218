"""What a deployment is made of, as one digest: equal digests need no new deploy."""

import hashlib
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from tidegate_local.errors import DeploymentError
from tidegate_local.layout import CDK_CLI_PROJECT, REPOSITORY

_SOURCES = ("app.py", "cdk.json", "pyproject.toml", "uv.lock", "infra", "functions", "layers")
# The project's own rule of what ships; no package installs it.
_RULE = REPOSITORY / "infra" / "sources.py"


def of_deployment(endpoint_url: str, context: Mapping[str, str]) -> str:
    """Return the digest (hex SHA-256) of everything that a deploy to an endpoint depends on."""
    digest = hashlib.sha256()
    for fact in (endpoint_url, sys.version, *(f"{name}={value}" for name, value in sorted(context.items()))):
        digest.update(f"{fact}\0".encode())
    for file in _files():
        content = hashlib.sha256(file.read_bytes()).hexdigest()
        digest.update(f"{file.relative_to(REPOSITORY)}\0{content}\0".encode())
    return digest.hexdigest()


def _files() -> Iterator[Path]:
    yield CDK_CLI_PROJECT / "package-lock.json"
    shipped = _sources()
    for name in _SOURCES:
        source = REPOSITORY / name
        if source.is_dir():
            yield from shipped(source)
        elif source.is_file():
            yield source


@cache
def _sources() -> Callable[[Path], list[Path]]:
    found = spec_from_file_location("tidegate_project_sources", _RULE)
    if found is None or found.loader is None:
        raise DeploymentError(f"There is no {_RULE}: put it back, or run `make up` in a whole checkout.")
    rule = module_from_spec(found)
    found.loader.exec_module(rule)
    sources: Callable[[Path], list[Path]] = rule.sources
    return sources

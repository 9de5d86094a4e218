"""What a deployment is made of, as one digest: equal digests need no new deploy."""

import hashlib
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from tidegate_local.layout import CDK_CLI_PROJECT, REPOSITORY

_SOURCES = ("app.py", "cdk.json", "pyproject.toml", "uv.lock", "infra", "functions", "layers")
_UNREAD = {"__pycache__", ".DS_Store"}


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
    for name in _SOURCES:
        source = REPOSITORY / name
        for file in sorted(source.rglob("*")) if source.is_dir() else [source]:
            if file.is_file() and not _UNREAD & set(file.parts) and file.suffix != ".pyc":
                yield file

"""What a deployment is made of, as one digest: equal digests need no new deploy."""

import hashlib
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from tidegate_build.sources import sources
from tidegate_local.layout import CDK_CLI_PROJECT, project_folder

_FILES = ("app.py", "cdk.json", "pyproject.toml", "uv.lock")
# Folders of a project that no deploy reads; nor does it read hidden ones.
_ASIDE = frozenset({"cdk.out", "dist", "docs", "examples", "localstack", "tests"})


def of_deployment(endpoint_url: str, context: Mapping[str, str]) -> str:
    """Return the digest (hex SHA-256) of everything that a deploy to an endpoint depends on."""
    digest, project = hashlib.sha256(), project_folder()
    for fact in (endpoint_url, sys.version, *(f"{name}={value}" for name, value in sorted(context.items()))):
        digest.update(f"{fact}\0".encode())
    for name, file in _files(project):
        content = hashlib.sha256(file.read_bytes()).hexdigest()
        digest.update(f"{name}\0{content}\0".encode())
    return digest.hexdigest()


def _files(project: Path) -> Iterator[tuple[str, Path]]:
    yield "package-lock.json", CDK_CLI_PROJECT / "package-lock.json"
    for name in _FILES:
        if (project / name).is_file():
            yield name, project / name
    for folder in sorted(place for place in project.iterdir() if place.is_dir()):
        if folder.name not in _ASIDE and not folder.name.startswith("."):
            yield from ((file.relative_to(project).as_posix(), file) for file in sources(folder))

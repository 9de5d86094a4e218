"""The migrations as files: `NNNN_name.py`, read in the order of their numbers."""

from __future__ import annotations

import hashlib
import importlib.util
import itertools
import re
from collections.abc import Collection
from pathlib import Path
from types import ModuleType
from typing import Any

from functions.migrate import checks
from functions.migrate.migration import Migration

_FILE = re.compile(r"(\d{4})_[a-z0-9_]+\.py")
_PARTS = (*checks.HALVES, "BAKE_S")


class MigrationFileError(Exception):
    """A file of `versions` isn't a migration; the message names it and says what is wrong."""


def load(folder: Path, tables: Collection[str]) -> tuple[Migration, ...]:
    """Import every migration of a folder; `tables` are those that it may name.

    Raises:
        MigrationFileError: a file's name or content isn't a migration's, or two have one number.
    """
    paths = sorted(path for path in folder.glob("*.py") if path.name != "__init__.py")
    migrations = tuple([_migration(path, tables) for path in paths])
    for first, second in itertools.pairwise(migrations):
        if first.number == second.number:
            raise MigrationFileError(f"{first.name} and {second.name} have the same number: give one the next")
    return migrations


def checksum(text: bytes) -> str:
    """Return the SHA-256 of a file's text; how its lines end is no change."""
    return hashlib.sha256(text.replace(b"\r\n", b"\n")).hexdigest()


def _migration(path: Path, tables: Collection[str]) -> Migration:
    match = _FILE.fullmatch(path.name)
    if match is None or not int(match[1]):
        raise MigrationFileError(f"{path.name}: name it NNNN_name.py, from 0001 on")
    parts = _parts(path)
    if faults := [*checks.faults(parts, tables)]:
        raise MigrationFileError(f"{path.name}: {'; '.join(faults)}")
    return Migration(
        int(match[1]),
        path.stem,
        checksum(path.read_bytes()),
        parts["expand"],
        parts["contract"],
        parts["down"],
        parts["BAKE_S"],
        checks.mended(parts["MENDS"]),
    )


def _parts(path: Path) -> dict[str, Any]:
    module = _imported(path)
    if missing := [part for part in _PARTS if not hasattr(module, part)]:
        raise MigrationFileError(f"{path.name}: {', '.join(missing)} isn't there; write None for what it doesn't do")
    return {**{part: getattr(module, part) for part in _PARTS}, "MENDS": getattr(module, "MENDS", ())}


def _imported(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"functions.migrate.versions.{path.stem}", path)
    if spec is None or spec.loader is None:
        raise MigrationFileError(f"{path.name}: can't be imported")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # a script may have been taken for a migration
        raise MigrationFileError(f"{path.name}: can't be imported: {type(error).__name__}: {error}") from error
    return module

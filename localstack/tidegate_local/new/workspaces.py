"""uv workspaces above a new project: a member has lock, environment and indexes of the workspace's root."""

import tomllib
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path, PurePath

from tidegate_local.errors import ProjectError

_FILE = "pyproject.toml"


def check(folder: Path) -> None:
    """Refuse a folder that a workspace above takes for its member: it would find none of the project's wheels.

    Raises:
        ProjectError: it is one; says how it is none.
    """
    place = folder.resolve()
    for root in place.parents:
        members, excluded = _workspace(root / _FILE)
        within = place.relative_to(root)
        if any(_matches(within, one) for one in members) and not any(_matches(within, one) for one in excluded):
            raise ProjectError(
                f"{folder} would be a member of the uv workspace of {root / _FILE}, and find none of its own wheels: "
                f'write exclude = ["{within.as_posix()}"] into [tool.uv.workspace] there, or give another folder.'
            )


def _workspace(file: Path) -> tuple[list[str], list[str]]:
    """Return the patterns of a workspace's members, and of what is excluded; none where there is no workspace."""
    try:
        found = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return [], []
    for name in ("tool", "uv", "workspace"):
        found = found.get(name, {})
        if not isinstance(found, dict):
            return [], []
    return [*_texts(found.get("members"))], [*_texts(found.get("exclude"))]


def _texts(written: object) -> Iterator[str]:
    yield from (one for one in written if isinstance(one, str)) if isinstance(written, list) else ()


def _matches(path: PurePath, pattern: str) -> bool:
    """Whether a glob takes a path: * stays within a folder's name, and ** doesn't."""
    if "**" in pattern:
        return fnmatchcase(path.as_posix(), pattern)
    parts = PurePath(pattern).parts
    return len(parts) == len(path.parts) and all(map(fnmatchcase, path.parts, parts))

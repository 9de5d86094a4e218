"""A release's version, and where it stands: pyproject.toml, uv.lock and CHANGELOG.md."""

import re
from datetime import date

from tidegate_local.errors import ReleaseError

_VERSION = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)", re.ASCII)
_UNRELEASED = "## [Unreleased]\n"
_IN_PYPROJECT = re.compile(r'(?m)^(name = "tidegate"\nversion = ")([^"]+)(")')


def parsed(version: str) -> tuple[int, int, int]:
    """Return a version's three numbers.

    Raises:
        ReleaseError: it isn't of the form x.y.z.
    """
    found = _VERSION.fullmatch(version)
    if found is None:
        raise ReleaseError(f"{version!r} is no version; write three numbers, such as VERSION=0.2.0")
    return int(found[1]), int(found[2]), int(found[3])


def version_in(text: str) -> str:
    """Return the library's version in the text of pyproject.toml or uv.lock.

    Raises:
        ReleaseError: there is none.
    """
    found = _IN_PYPROJECT.search(text)
    if found is None:
        raise ReleaseError("no version of tidegate is found; write version below name in pyproject.toml")
    return found[2]


def raised(text: str, version: str) -> str:
    """Return the text of pyproject.toml or uv.lock with another version of the library."""
    return _IN_PYPROJECT.sub(rf"\g<1>{version}\g<3>", text, count=1)


def changelog(text: str, version: str, on: date) -> str:
    """Return the changelog's text, in which what was unreleased is this version's.

    Raises:
        ReleaseError: there is nothing unreleased.
    """
    before, found, after = text.partition(_UNRELEASED)
    entries = after.partition("\n## [")[0]
    if not found or not re.search(r"(?m)^- ", entries):
        raise ReleaseError("CHANGELOG.md has no entry under [Unreleased]; write what a user sees of this release")
    return f"{before}{_UNRELEASED}\n## [{version}] - {on.isoformat()}\n{after}"

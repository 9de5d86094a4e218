"""The lines of a project's pyproject.toml that say which versions of Tidegate's packages it depends on."""

import re
from collections.abc import Mapping
from pathlib import Path

from tidegate_local.errors import ProjectError
from tidegate_local.new.wheels import PACKAGES

_FILE = "pyproject.toml"
# With its table where nothing else is in it; uv finds nothing in a folder that isn't there, and says so.
_FIND_LINKS = re.compile(
    r'(\n\[tool\.uv\]\n(#[^\n]*\n)*find-links = \["wheels"\]\n(?=\n*(\[|$)))|(?<=\n)find-links = \["wheels"\]\n'
)


def read(project: Path) -> dict[str, str]:
    """Return the versions by package.

    Raises:
        ProjectError: one isn't pinned.
    """
    text = (project / _FILE).read_text(encoding="utf-8")
    found = {name: _line(name).search(text) for name in PACKAGES}
    if loose := [name for name, pin in found.items() if pin is None]:
        raise ProjectError(f'{project / _FILE} pins no {" and no ".join(loose)}: write it as "{loose[0]}==0.1.0".')
    return {name: pin["version"] for name, pin in found.items() if pin}


def write(project: Path, versions: Mapping[str, str], *, with_wheels: bool) -> None:
    """Write other versions into these lines, and leave all else as it is; without wheels none are looked for."""
    file = project / _FILE
    text = file.read_text(encoding="utf-8")
    for name, version in versions.items():
        text = _line(name).sub(rf"\g<before>{version}\g<after>", text)
    file.write_text(text if with_wheels else _FIND_LINKS.sub("", text), encoding="utf-8")


def _line(package: str) -> re.Pattern[str]:
    return re.compile(rf'(?P<before>"{re.escape(package)}(?:\[[a-z0-9,-]*\])?==)(?P<version>[^"\s]+)(?P<after>")')

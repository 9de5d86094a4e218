"""Writes a new project: a template's files under the project's own name, and the packages that it depends on."""

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path

from tidegate_local.errors import ProjectError
from tidegate_local.new import pins, workspaces
from tidegate_local.new.wheels import Wheels

_TEMPLATES = Path(__file__).with_name("template")
# What every project has, beside what is its template's.
_EVERY = _TEMPLATES / "every"
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_LONGEST = 32
# What a project depends on beside what Tidegate's packages bring.
_TEMPLATES_NEED = frozenset({"hatchling", "pytest", "uvicorn"})
# What nobody tracks under its own name in a package.
_RENAMED = {"gitignore": ".gitignore"}


@dataclass(frozen=True)
class Project:
    """A project's name, such as book-store."""

    name: str

    def __post_init__(self) -> None:
        """Refuse what can't begin the names of stacks and functions."""
        if not _NAME.fullmatch(self.name) or len(self.name) > _LONGEST:
            raise ProjectError(
                f"{self.name!r} is no project's name: write lower-case words joined by hyphens, such as book-store, at "
                f"most {_LONGEST} characters."
            )
        if self.name.startswith("tidegate"):
            raise ProjectError(f"{self.name} would be taken for one of Tidegate's own packages: write another name.")
        if self.name in _packages():
            raise ProjectError(
                f"{self.name} is a Python package's name, and a project that depends on it can't have the same one: "
                f"write another, such as my-{self.name}."
            )

    @property
    def stack(self) -> str:
        """How its stacks' names begin, such as BookStore."""
        return "".join(word.capitalize() for word in self.name.split("-"))

    def rewritten(self, text: str) -> str:
        """Return a template's text under this name."""
        return text.replace("MyProject", self.stack).replace("my-project", self.name)


def _packages() -> set[str]:
    """Return the names of what Tidegate's packages depend on: this environment has it."""
    return {*_TEMPLATES_NEED, *(re.sub(r"[-_.]+", "-", found.name).lower() for found in distributions() if found.name)}


def make(project: Project, template: str, into: Path, wheels: Wheels | None, versions: Mapping[str, str]) -> list[Path]:
    """Write the project, and return its files.

    Args:
        project: how it is called.
        template: a folder of templates, "bare" or "shop".
        into: an empty folder, or one to be made.
        wheels: the packages that it gets to depend on; None: they are on an index.
        versions: those of the packages.

    Raises:
        ProjectError: the folder has files, or is a part of somebody's uv workspace.
    """
    if into.exists() and (not into.is_dir() or any(into.iterdir())):
        raise ProjectError(f"{into} has files already: give an empty folder, or one that is to be made.")
    workspaces.check(into)
    made = [
        _written(file, into / file.relative_to(source), project)
        for source in (_EVERY, _TEMPLATES / template)
        for file in sorted(source.rglob("*"))
        if file.is_file() and "__pycache__" not in file.parts
    ]
    pins.write(into, versions, with_wheels=wheels is not None)
    for wheel in wheels.files.values() if wheels else ():
        (into / "wheels").mkdir(exist_ok=True)
        made.append(Path(shutil.copy(wheel, into / "wheels")))
    return made


def _written(file: Path, place: Path, project: Project) -> Path:
    copy = place.with_name(_RENAMED.get(place.name, place.name))
    copy.parent.mkdir(parents=True, exist_ok=True)
    copy.write_text(project.rewritten(file.read_text(encoding="utf-8")), encoding="utf-8")
    return copy

"""Takes later packages into a project: its version lines and its wheels change, and nothing else does."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from tidegate_local.errors import ProjectError
from tidegate_local.new import changes, pins
from tidegate_local.new.wheels import PACKAGES, Wheels


@dataclass(frozen=True)
class Upgrade:
    """The packages whose versions changed, each with the former and the new one; and what the changelog says."""

    versions: dict[str, tuple[str, str]]
    changelog: str


def to_wheels(project: Path, folder: Path) -> Upgrade:
    """Take the wheels in a folder.

    Raises:
        ProjectError: they aren't all there, one is older than the project's, or is another of the same version.
    """
    wheels, before = Wheels.in_folder(folder), pins.read(project)
    own = project / "wheels"
    for name, version in wheels.versions.items():
        _check_later(name, before[name], version)
        former = own / wheels.files[name].name
        if former.exists() and former.read_bytes() != wheels.files[name].read_bytes():
            raise ProjectError(
                f"{wheels.files[name]} is another build of {version}, which the project has: a lock takes one for the "
                "other. Build it under a later one: `tidegate wheels --version`."
            )
    # Only those that go: the project's own wheels may be the given ones.
    for name in PACKAGES:
        for former in own.glob(f"{name.replace('-', '_')}-*.whl"):
            if former.name != wheels.files[name].name:
                former.unlink()
    own.mkdir(exist_ok=True)
    for file in wheels.files.values():
        if file.resolve() != (own / file.name).resolve():
            shutil.copy(file, own)
    pins.write(project, wheels.versions, with_wheels=True)
    said = changes.between(wheels.files["tidegate"], before["tidegate"], wheels.versions["tidegate"])
    return Upgrade(_changed(before, wheels.versions), said)


def to_version(project: Path, version: str) -> Upgrade:
    """Take a version of all packages from the index; a project that has wheels goes without them from now on.

    Raises:
        ProjectError: it is older than the project's.
    """
    before, after = pins.read(project), dict.fromkeys(PACKAGES, version)
    for name in PACKAGES:
        _check_later(name, before[name], version)
    shutil.rmtree(project / "wheels", ignore_errors=True)
    pins.write(project, after, with_wheels=False)
    return Upgrade(_changed(before, after), "")


def _check_later(name: str, before: str, after: str) -> None:
    if changes.order(after) < changes.order(before):
        raise ProjectError(f"{name} {after} is older than {before}, which the project has: give a later one.")


def _changed(before: dict[str, str], after: dict[str, str]) -> dict[str, tuple[str, str]]:
    return {name: (before[name], version) for name, version in after.items() if before[name] != version}

"""Tidegate's packages as wheels: built from a checkout, or found in a folder."""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tidegate_build.sources import sources
from tidegate_local.errors import ProjectError

# Each with its folder in a checkout.
PACKAGES: Mapping[str, str] = {"tidegate": ".", "tidegate-cdk": "infra/cdk", "tidegate-local": "localstack"}
_VERSION = re.compile(r'^(version = )"[^"]+"', re.MULTILINE)
_NAME = re.compile(r"(?P<name>[a-z_]+)-(?P<version>[^-]+)-[^-]+-[^-]+-[^-]+\.whl")


@dataclass(frozen=True)
class Wheels:
    """One wheel of each package, by the package's name."""

    files: Mapping[str, Path]

    @property
    def versions(self) -> dict[str, str]:
        """The packages' versions."""
        return {name: _parsed(file)[1] for name, file in self.files.items()}

    @classmethod
    def in_folder(cls, folder: Path) -> "Wheels":
        """Find them.

        Raises:
            ProjectError: the folder hasn't exactly one of each.
        """
        files: dict[str, Path] = {}
        for file in sorted(folder.glob("*.whl")):
            name = _parsed(file)[0]
            if name in PACKAGES and name in files:
                raise ProjectError(f"{folder} has {files[name].name} and {file.name}: leave one wheel of {name} there.")
            files |= {name: file} if name in PACKAGES else {}
        if missing := [name for name in PACKAGES if name not in files]:
            raise ProjectError(
                f"{folder} has no wheel of {' and '.join(missing)}: `tidegate wheels --out {folder}` builds all in a "
                "checkout."
            )
        return cls(files)

    @classmethod
    def built(cls, checkout: Path, folder: Path, uv: Sequence[str]) -> "Wheels":
        """Build them from a checkout into a folder, in which no others of theirs stay.

        Raises:
            ProjectError: uv couldn't; the message has what it said.
        """
        for name, place in PACKAGES.items():
            for former in folder.glob(f"{name.replace('-', '_')}-*.whl"):
                former.unlink()
            command = [*uv, "build", "--quiet", "--wheel", "--out-dir", str(folder.resolve()), str(checkout / place)]
            # What is built beside the sources, such as the controller's archive, is kept where it always is.
            environ = {"TIDEGATE_STATE_DIR": str(checkout / ".tidegate"), **os.environ}
            done = subprocess.run(  # noqa: S603 - uv
                command, cwd=checkout, env=environ, capture_output=True, text=True, check=False
            )
            if done.returncode:
                raise ProjectError(f"{name} can't be built:\n{(done.stderr or done.stdout).strip()}")
        # uv writes one, so that nothing of a dist folder is committed.
        (folder / ".gitignore").unlink(missing_ok=True)
        return cls.in_folder(folder)

    @classmethod
    def built_as(cls, version: str, checkout: Path, folder: Path, uv: Sequence[str]) -> "Wheels":
        """Build them under another version than the checkout's, from a copy of its sources.

        Raises:
            ProjectError: uv couldn't.
        """
        with tempfile.TemporaryDirectory(prefix="tidegate-wheels-") as scratch:
            copy = Path(scratch, "checkout")
            for file in sources(checkout):
                place = copy / file.relative_to(checkout)
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file, place)
            (copy / ".tidegate").symlink_to(checkout / ".tidegate")
            for package in PACKAGES.values():
                project = copy / package / "pyproject.toml"
                text = _VERSION.sub(rf'\g<1>"{version}"', project.read_text(encoding="utf-8"), count=1)
                project.write_text(text, encoding="utf-8")
            return cls.built(copy, folder, uv)


def _parsed(file: Path) -> tuple[str, str]:
    found = _NAME.fullmatch(file.name)
    return (found["name"].replace("_", "-"), found["version"]) if found else (file.name, "")

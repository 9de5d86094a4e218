"""Which Python runs the project: 3.13 as on AWS where a working one is found, else another from 3.11 on."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# The last one is younger than our tests.
PREFERENCE = ("3.13", "3.12", "3.11", "3.14")
# A Python that was compiled without one of these looks fine until it is used.
_QUESTION = "import ctypes, sqlite3, ssl, zlib, sys; print('%d.%d' % sys.version_info[:2], sys.executable)"


@dataclass(frozen=True)
class Interpreter:
    """A Python that was run and found complete; `version` is major.minor."""

    path: Path
    version: str


def choose(uv: Path | None) -> Interpreter:
    """Return the Python to use: UV_PYTHON's if that is set, else the first of PREFERENCE that works, else this one."""
    asked = os.environ.get("UV_PYTHON")
    if asked and (found := examine(shutil.which(asked) or asked)):
        return found
    for version in PREFERENCE:
        for candidate in candidates(version, uv):
            found = examine(candidate)
            if found and found.version == version:
                return found
    return Interpreter(Path(sys.executable), f"{sys.version_info[0]}.{sys.version_info[1]}")


def candidates(version: str, uv: Path | None) -> Iterator[str]:
    """Yield where a Python of a version may be; a pyenv shim among them may turn out not to work."""
    if version == f"{sys.version_info[0]}.{sys.version_info[1]}" and sys.prefix == sys.base_prefix:
        yield sys.executable
    if on_path := shutil.which(f"python{version}"):
        yield on_path
    # pyenv's shims hide the versions that are not selected (from uv, too); their folders don't.
    homes = {Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv"), Path.home() / ".pyenv"}
    for home in sorted(homes):
        installed = home.glob(f"versions/{version}.*/bin/python{version}")
        yield from map(str, sorted(installed, key=_patch_level, reverse=True))
    if uv and (known := _known_to_uv(version, uv)):
        yield known


def examine(python: str) -> Interpreter | None:
    """Run a Python; None if it doesn't, lacks a part, or is older than 3.11."""
    try:
        answer = subprocess.run(  # noqa: S603 - candidates of the user's own machine
            [python, "-I", "-c", _QUESTION], capture_output=True, text=True, timeout=30, check=True
        ).stdout.split(maxsplit=1)
    except (OSError, subprocess.SubprocessError):
        return None
    if len(answer) != 2 or tuple(map(int, answer[0].split("."))) < (3, 11):
        return None
    return Interpreter(Path(answer[1].strip()), answer[0])


def _known_to_uv(version: str, uv: Path) -> str:
    # --system: not this project's own environment, which may be about to be replaced.
    command = [str(uv), "python", "find", "--system", "--no-project", "--no-python-downloads", version]
    told = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - uv, as a list
    return told.stdout.strip()


def _patch_level(python: Path) -> tuple[int, ...]:
    return tuple(int(part) for part in python.parents[1].name.split(".") if part.isdigit())

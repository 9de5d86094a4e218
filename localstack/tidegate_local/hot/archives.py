"""The archives that a swap takes, made by the project's own rules of what ships (infra/swapped_code.py)."""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tidegate_local.errors import SwapError
from tidegate_local.hot.record import Files
from tidegate_local.layout import project_folder

LIBRARY = "library"
_SYNTAX = 2


@dataclass(frozen=True)
class Archive:
    """An archive, and the files that it was made of."""

    path: Path
    files: Files


def made(root: Path, folder: Path, functions: Sequence[str]) -> dict[str, Archive]:
    """Make the archive of each `functions/NAME` at a root, and that of the library, in a folder that keeps them.

    Raises:
        SwapError: a file has an error of syntax, which is named with its line.
    """
    if not (project_folder() / "infra" / "swapped_code.py").is_file():
        raise SwapError(
            "`tidegate watch` knows the functions of Tidegate's own checkout. In a project `tidegate dev` serves what "
            "is saved, and `tidegate release` deploys it."
        )
    command = [sys.executable, "-m", "infra.swapped_code", str(root), str(folder), *functions]
    done = subprocess.run(command, cwd=project_folder(), capture_output=True, text=True, check=False)  # noqa: S603  our own words
    if done.returncode == _SYNTAX:
        raise SwapError(f"{done.stderr.strip()}. The code that ran goes on.")
    if done.returncode:
        said = done.stderr.strip().splitlines()[-1:] or [f"exit status {done.returncode}"]
        raise SwapError(f"The archives can't be made: {said[0]}")
    told = json.loads(done.stdout)
    return {name: Archive(Path(one["archive"]), one["files"]) for name, one in told.items()}

"""Which of this repository's files a project takes over: the platform and its tests, not the library's own."""

import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

_WHOLE = ("functions/", "infra/", "layers/", "localstack/", "docs/", "examples/", ".ci/")
_ROOT = {
    ".gitignore",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "LICENSE",
    "Makefile",
    "SECURITY.md",
    "app.py",
    "cdk.json",
    "mkdocs.yml",
    "pyproject.toml",
    "uv.lock",
}
# Tests of what a project changes: its functions, its infrastructure, what it ships, the deployed API.
_TESTS = ("tests/harness/", "tests/api/", "tests/infra/", "tests/artefact/", "tests/e2e/")
_TEST_FILES = {"tests/conftest.py"}
# What a project runs, and doesn't change.
_UNTAKEN = "localstack/process_executor/tests/"
_SKIPPED = {"__pycache__", "node_modules", ".venv", ".tidegate", "cdk.out", "dist"}


def selected(files: Iterable[str]) -> tuple[str, ...]:
    """Pick those that a project takes over.

    Args:
        files: paths below the repository, with slashes.
    """
    return tuple(sorted(file for file in files if _is_taken(file)))


def of_repository(root: Path) -> tuple[str, ...]:
    """List the files that are the repository's: those that git knows, or all but what is made where there is no git."""
    git = shutil.which("git")
    if git and (root / ".git").exists():
        done = subprocess.run(  # noqa: S603  to list
            [git, "ls-files", "-z"], cwd=root, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False
        )
        if not done.returncode:  # else it refuses the folder, as of another owner
            return tuple(name for name in done.stdout.split("\0") if name and (root / name).is_file())
    return tuple(_walked(root))


def _walked(root: Path) -> Iterable[str]:
    for folder, below, files in os.walk(root):
        below[:] = [name for name in below if name not in _SKIPPED and not name.endswith(("_cache", ".egg-info"))]
        for name in files:
            if not name.endswith(".pyc"):
                yield str(PurePosixPath(Path(folder, name).relative_to(root)))


def _is_taken(file: str) -> bool:
    return file in _ROOT | _TEST_FILES or (file.startswith((*_WHOLE, *_TESTS)) and not file.startswith(_UNTAKEN))

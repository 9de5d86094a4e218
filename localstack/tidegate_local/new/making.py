"""Makes the project: copies, rewrites, and says what came of it."""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tidegate_local.errors import ProjectError
from tidegate_local.layout import REPOSITORY
from tidegate_local.new.collisions import check_files, check_name, check_routes
from tidegate_local.new.project import AwsSettings, Project
from tidegate_local.new.rewriting import rewritten, written_anew
from tidegate_local.new.selection import of_repository, selected

_TEXT = frozenset(
    {"", ".css", ".html", ".in", ".js", ".json", ".lock", ".lua", ".md", ".py", ".svg", ".toml", ".txt", ".yaml"}
)


def make(project: Project, settings: AwsSettings, into: Path, root: Path = REPOSITORY) -> None:
    """Write a project into a folder that is empty or not there yet.

    Raises:
        ProjectError: the folder isn't empty, lies in the repository, or the repository isn't as it is expected; or a
            name is that of something else in the project.
    """
    _check(into, root)
    taken, anew = selected(of_repository(root)), written_anew(project)
    check_name(project, (root / "uv.lock").read_text(encoding="utf-8"))
    check_routes(project, (root / "functions/api/app.py").read_text(encoding="utf-8"))
    check_files(taken, anew)
    # All texts before the first file: a checkout that is changed too much leaves no half project behind.
    texts = {
        file: rewritten(file, (root / file).read_text(encoding="utf-8"), project, settings)
        for file in taken
        if Path(file).suffix in _TEXT
    } | anew
    try:
        for file in taken:
            _put(into / file, root / file)
        for file, text in texts.items():
            place = into / file
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ProjectError(f"{into} can't be written ({error}). Name another folder with --into.") from error
    _format(into)


def commit(into: Path) -> None:
    """Make it a git repository with one commit.

    Raises:
        ProjectError: git isn't there, or failed.
    """
    git = shutil.which("git")
    if git is None:
        raise ProjectError("git is not on PATH: install it, or leave --git out.")
    _run([git, "init", "--quiet"], into)
    _run([git, "add", "--all"], into)
    try:
        _run([git, "commit", "--quiet", "-m", "A project on Tidegate"], into)
    except ProjectError as error:
        raise ProjectError(f"The project is whole in {into}; only its first commit is missing. {error}") from error


def _check(into: Path, root: Path) -> None:
    if 'name = "tidegate"\n' not in (root / "pyproject.toml").read_text(encoding="utf-8"):
        raise ProjectError(f"{root} is a project already. `tidegate new` works in a checkout of Tidegate itself.")
    if into.resolve().is_relative_to(root):
        raise ProjectError(f"{into} lies in this repository. Name a folder outside of it with --into.")
    if into.exists() and (not into.is_dir() or any(into.iterdir())):
        raise ProjectError(f"{into} is there and isn't empty. Name another folder with --into.")


def _format(into: Path) -> None:
    """Break lines anew, which are longer or shorter by the project's names; without the lint group they stay so."""
    ruff = Path(sys.executable).with_name("ruff")
    if ruff.is_file():
        _run([str(ruff), "format", "--quiet", "--no-cache"], into)


def _put(place: Path, source: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, place)


def _run(command: Sequence[str], folder: Path) -> None:
    done = subprocess.run(  # noqa: S603  our own words
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode:
        raise ProjectError(f"`{' '.join(command)}` failed in {folder}: {done.stdout.strip()}")

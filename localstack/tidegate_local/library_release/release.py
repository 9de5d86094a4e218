"""Makes a release in a checkout: files, packages, SBOM, checks, then the commit and the tag."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from tidegate_local.errors import ReleaseError
from tidegate_local.library_release import version as versions

_RAISED = ("pyproject.toml", "uv.lock")
_CHANGELOG = "CHANGELOG.md"
_ANSWERS = Path(__file__).with_name("answers.py")
# The programs of the environment that runs this command.
_PROGRAMS = Path(sys.executable).parent

Say = Callable[[str], None]


def release(root: Path, version: str, uv: Sequence[str], say: Say, *, dry_run: bool = False) -> Path:
    """Make a release; what it changed in the checkout is put back if a step fails, and after a dry run.

    Args:
        root: the checkout's folder.
        version: as x.y.z.
        uv: the command that is uv.
        say: is told each step that is done.
        dry_run: whether to make and check everything, and neither to commit nor to tag.

    Returns:
        The folder with the wheel, the source archive and the SBOM.

    Raises:
        ReleaseError: the checkout isn't clean, the version isn't new, or a step failed.
    """
    _check(root, version)
    folder = root / "dist" / version
    try:
        _write(root, version)
        say(f"{_CHANGELOG}, {', '.join(_RAISED)}: {version}")
        _build(root, folder, version, uv)
        say(f"built and checked in {folder.relative_to(root)}: {', '.join(sorted(p.name for p in folder.iterdir()))}")
        if not dry_run:
            _run(root, "git", "commit", "--quiet", "--message", f"Tidegate {version}", "--", _CHANGELOG, *_RAISED)
    except BaseException:
        _put_back(root)
        raise
    if dry_run:
        _put_back(root)
        say("dry run: nothing is committed or tagged")
        return folder
    _run(root, "git", "tag", "--annotate", f"v{version}", "--message", f"Tidegate {version}")
    say(f"committed and tagged v{version}; nothing is uploaded")
    return folder


def _check(root: Path, version: str) -> None:
    wanted = versions.parsed(version)
    if _run(root, "git", "status", "--porcelain"):
        raise ReleaseError("the checkout has changes that aren't committed; commit or stash them")
    if _run(root, "git", "tag", "--list", f"v{version}"):
        raise ReleaseError(f"the tag v{version} exists; write a later version")
    now = versions.version_in((root / "pyproject.toml").read_text(encoding="utf-8"))
    if wanted < versions.parsed(now):
        raise ReleaseError(f"{version} is older than {now}, which pyproject.toml has; write a later version")


def _write(root: Path, version: str) -> None:
    for name in _RAISED:
        path = root / name
        path.write_text(versions.raised(path.read_text(encoding="utf-8"), version), encoding="utf-8")
    path = root / _CHANGELOG
    today = datetime.now(UTC).date()
    path.write_text(versions.changelog(path.read_text(encoding="utf-8"), version, today), encoding="utf-8")


def _build(root: Path, folder: Path, version: str, uv: Sequence[str]) -> None:
    """Build the packages, install the wheel apart, ask it for an answer, and list what it brought."""
    _run(root, *uv, "build", "--quiet", "--clear", "--package", "tidegate", "--out-dir", str(folder))
    (folder / ".gitignore").unlink(missing_ok=True)
    wheel, archive = folder / f"tidegate-{version}-py3-none-any.whl", folder / f"tidegate-{version}.tar.gz"
    for package in (wheel, archive):
        if not package.is_file():
            raise ReleaseError(f"{package.name} was not built")
    _run(root, str(_PROGRAMS / "twine"), "check", "--strict", str(wheel), str(archive))
    with tempfile.TemporaryDirectory() as apart:
        python = Path(apart, "venv", "bin", "python")
        _run(root, *uv, "venv", "--quiet", "--python", sys.executable, str(python.parents[1]))
        _run(root, *uv, "pip", "install", "--quiet", "--python", str(python), str(wheel))
        said = _run(Path(apart), str(python), "-I", str(_ANSWERS))
        if said.splitlines()[-1:] != [f"{version} 200 429"]:
            raise ReleaseError(f"the wheel doesn't answer as it should: {said}")
        sbom = ("--output-format", "JSON", "--output-file", str(folder / f"tidegate-{version}.cdx.json"))
        about = ("--pyproject", str(root / "pyproject.toml"), "--mc-type", "library", "--output-reproducible")
        _run(root, str(_PROGRAMS / "cyclonedx-py"), "environment", *about, *sbom, str(python))


def _put_back(root: Path) -> None:
    _run(root, "git", "checkout", "--quiet", "HEAD", "--", _CHANGELOG, *_RAISED)


def _run(folder: Path, *command: str) -> str:
    try:
        ended = subprocess.run(  # noqa: S603  our own words
            command, cwd=folder, env=_plain(), capture_output=True, text=True, check=True
        )
    except FileNotFoundError as error:
        raise ReleaseError(f"{command[0]} isn't installed; run `make setup`") from error
    except subprocess.CalledProcessError as error:
        said = (error.stderr or error.stdout).strip()
        raise ReleaseError(f"`{' '.join(command[:3])}` failed:\n{said}") from error
    return ended.stdout.strip()


def _plain() -> dict[str, str]:
    """Return the environment without settings of Tidegate's, which would change what the wheel is seen to do."""
    return {name: value for name, value in os.environ.items() if not name.startswith("TIDEGATE_")}

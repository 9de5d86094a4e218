"""uv: the one on PATH if it is recent enough, else a pinned one of this project's own in .tidegate/uv."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tidegate_bootstrap import uv_wheel
from tidegate_bootstrap.failure import BootstrapError

PINNED = "0.13.9"
# The oldest that reads this uv.lock as its writer meant it.
OLDEST = (0, 13)


def find(root: Path) -> Path | None:
    """Return a uv that is recent enough: from the UV variable, from PATH, or installed here before."""
    return next((uv for uv in _candidates(root) if _release(str(uv)) >= OLDEST), None)


def is_there(root: Path) -> bool:
    """Say whether there is a uv in one of these places, of whatever release: quick, since none is run."""
    return any(os.access(uv, os.X_OK) for uv in _candidates(root))


def install(root: Path) -> Path:
    """Install the pinned uv into .tidegate/uv and return it, by whichever of three ways works.

    Raises:
        BootstrapError: none does; the message has what each said.
    """
    place = _place(root)
    sys.stderr.write(f"Installing uv {PINNED} into {place.parents[1]} ...\n")
    said = []
    for way in (_with_venv, _with_pip, _from_wheel):
        shutil.rmtree(place.parents[1], ignore_errors=True)
        problem = _problem(way, place)
        if problem is None and _release(str(place)) >= OLDEST:
            return place
        said.append(f"  {way.__doc__} {problem or 'it does not run here'}")
    shutil.rmtree(place.parents[1], ignore_errors=True)
    raise BootstrapError(
        "uv could not be installed:\n" + "\n".join(said) + "\n"
        "Install it yourself (https://docs.astral.sh/uv/), or set PIP_INDEX_URL to an index that is reachable."
    )


def _candidates(root: Path) -> list[Path]:
    return [Path(uv) for uv in (os.environ.get("UV"), shutil.which("uv"), str(_place(root))) if uv]


def _place(root: Path) -> Path:
    return root / ".tidegate" / "uv" / "bin" / "uv"


def _with_venv(place: Path) -> None:
    """By venv and pip:"""  # noqa: D415 - the beginning of a line that is shown
    home = place.parents[1]
    _quietly([sys.executable, "-m", "venv", str(home)])
    _quietly([str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", f"uv=={PINNED}"])


def _with_pip(place: Path) -> None:
    """By pip alone:"""  # noqa: D415 - the beginning of a line that is shown
    target = ["--target", str(place.parents[1])]
    _quietly([sys.executable, "-m", "pip", "install", "--quiet", *target, f"uv=={PINNED}"])


def _from_wheel(place: Path) -> None:
    """By downloading its wheel:"""  # noqa: D415 - the beginning of a line that is shown
    uv_wheel.unpack(PINNED, place)


def _problem(way: Callable[[Path], None], place: Path) -> str | None:
    try:
        way(place)
    except (BootstrapError, OSError) as error:
        return str(error)
    return None


def _quietly(command: list[str]) -> None:
    """Run a command that is allowed to fail; its last line of output is the reason."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own lists
    if done.returncode:
        lines = (done.stderr.strip() or done.stdout.strip() or "no output").splitlines()
        raise BootstrapError(lines[-1])


def _release(uv: str) -> tuple[int, ...]:
    try:
        told = subprocess.run(  # noqa: S603 - a uv of the user's own machine
            [uv, "--version"], capture_output=True, text=True, timeout=30, check=False
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return ()
    match = re.match(r"uv (\d+)\.(\d+)", told)
    return tuple(map(int, match.groups())) if match else ()

"""The contenders' environments: one for each group of requirements, made anew when these change."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.scoreboard.contender import Contender
from tests.scoreboard.stage import ROOT, interpreter

_REQUIREMENTS = Path(__file__).parent / "requirements"


def missing(contenders: Sequence[Contender]) -> dict[str, str]:
    """Install every group that the contenders need; return what uv said of those that couldn't be, by group."""
    found: dict[str, str] = {}
    for group in sorted({row.group for row in contenders if row.group}):
        folder = ROOT / ".tidegate" / f"scoreboard-{group}" / "venv"
        try:
            _uv("venv", "--quiet", "--allow-existing", "--python", sys.executable, str(folder))
            wanted = ["--requirement", str(_REQUIREMENTS / f"{group}.txt")]
            _uv("pip", "install", "--quiet", "--python", interpreter(group), *wanted)
        except subprocess.CalledProcessError as error:
            found[group] = f"not installed: {error.stderr.strip().splitlines()[-1]}"
    return found


def version(contender: Contender) -> str:
    """The version that is installed where the contender runs."""
    asked = f"from importlib.metadata import version; print(version({contender.distribution!r}))"
    done = subprocess.run(
        [interpreter(contender.group), "-c", asked], capture_output=True, text=True, check=False, timeout=60
    )
    return done.stdout.strip() or "not installed"


def _uv(*arguments: str) -> None:
    subprocess.run(["uv", *arguments], check=True, capture_output=True, text=True)

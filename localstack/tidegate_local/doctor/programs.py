"""What a program says of itself."""

import subprocess
from pathlib import Path

_PATIENCE_S = 20.0


def version_said(program: Path) -> str | None:
    """Return what `program --version` prints; None: it doesn't run."""
    try:
        done = subprocess.run(  # noqa: S603  our own tools, or what PATH has
            [program, "--version"], stdout=subprocess.PIPE, text=True, timeout=_PATIENCE_S, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()

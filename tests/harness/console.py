"""`tidegate console` as a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]


@contextmanager
def running_console(folder: Path, **environ: str) -> Iterator[str]:
    """The address that it prints, for the cloud of a state folder; its token is behind the #.

    Args:
        folder: the state folder.
        environ: further variables, such as the REDIS_URL that the cloud was brought up with.
    """
    with subprocess.Popen(
        [sys.executable, "-m", "tidegate_local", "console"],
        cwd=ROOT,
        env={**os.environ, **environ, "TIDEGATE_STATE_DIR": str(folder)},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().strip()
            assert address.startswith("http://127.0.0.1:"), "it didn't start; its error is above"
            yield address
        finally:
            process.terminate()
            assert process.wait(30) == 0, "it doesn't end as it should"

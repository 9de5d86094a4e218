"""The Python environment of LocalStack in host mode: made once for each lock, of packages that nothing else gets."""

import hashlib
import os
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from tidegate_local import toolchain
from tidegate_local.errors import ToolMissingError, log_tail
from tidegate_local.files import made_whole
from tidegate_local.layout import PLATFORM, exclusive, toolchain_folder
from tidegate_local.processes import CommandError, run_logged

_EXECUTOR = PLATFORM / "process_executor"
_HOST_MODE = PLATFORM / "host_mode"
SOURCES = (_EXECUTOR, _HOST_MODE)
LOCK = _HOST_MODE / "requirements.txt"
# What is not installed; nor is what is hidden, such as environments.
_UNREAD = {"__pycache__", "dist", "tests"}


def ensure() -> Path:
    """Return its Python, made first if need be.

    Raises:
        ToolMissingError: uv is missing or failed; the message has the end of its log.
    """
    with exclusive(toolchain_folder() / "localstack.lock", "installing LocalStack", wait_s=900):
        if not python().exists():
            make(home())
    return python()


def python() -> Path:
    """Return where its Python is, or would be."""
    return home() / "bin" / "python"


@cache
def home() -> Path:
    """Return its folder, which is named by everything that it is made of."""
    return toolchain_folder() / named(SOURCES)


def named(sources: Iterable[Path]) -> str:
    """Return the name of an environment of this interpreter and these folders: the lock is in one of them."""
    return f"localstack-4.14.0-{digest(sources, f'{sys.version} {sys.base_prefix}')}"


def digest(sources: Iterable[Path], beside: str) -> str:
    """Return the digest of what is installed of these folders, and of `beside`."""
    made_of = hashlib.sha256(beside.encode())
    for folder in sources:
        for file in sorted(folder.rglob("*")):
            name = file.relative_to(folder)
            unread = any(part in _UNREAD or part.startswith(".") for part in name.parts)
            if file.is_file() and not unread and file.suffix != ".pyc":
                made_of.update(f"{name}\0".encode() + file.read_bytes())
    return made_of.hexdigest()[:16]


def make(home: Path) -> None:
    """Make it in one step: a folder of that name is whole.

    Raises:
        ToolMissingError: uv is missing or failed; the message has the end of its log.
    """
    log = toolchain_folder() / "localstack.log"
    try:
        with made_whole(home) as draft:
            for number, words in enumerate(_steps(draft)):
                run_logged(words, env=_environment(), log=log, cwd=toolchain_folder(), append=number > 0)
    except CommandError as error:
        raise ToolMissingError(
            f"LocalStack could not be installed. The end of the log, {log_tail(log)}\n"
            "Without it: make up ENGINE=embedded"
        ) from error


def _steps(draft: Path) -> tuple[list[str], ...]:
    interpreter = str(draft / "bin" / "python")
    into = ["--python", interpreter, "--compile-bytecode"]
    uv = str(toolchain.find_uv())
    return (
        # Functions run on this interpreter, too: their packages are built for the version that runs this.
        [uv, "venv", "--no-project", "--relocatable", "--python", sys.executable, str(draft)],
        [uv, "pip", "install", *into, "--require-hashes", "--requirement", str(LOCK)],
        [uv, "pip", "install", *into, "--no-deps", "--no-build-isolation", str(_EXECUTOR), str(_HOST_MODE)],
        # LocalStack is written for 3.13, whatever its metadata say.
        [interpreter, "-m", "tidegate_localstack.older_python"],
    )


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "UV_PYTHON")}


if __name__ == "__main__":
    sys.stdout.write(f"{ensure()}\n")

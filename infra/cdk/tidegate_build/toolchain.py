"""The programs that assets are built with: uv, and a Python of the target's version."""

import functools
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


class BuildError(Exception):
    """An asset can't be built; the message says what to mend."""


@dataclass(frozen=True)
class Interpreter:
    """A Python that compiles bytecode; `cache_tag` is the infix of its .pyc files, such as cpython-313."""

    path: Path
    cache_tag: str


def run(command: Sequence[str], *, cwd: Path, environ: Mapping[str, str] | None = None) -> str:
    """Run a program and return what it wrote to stdout; raises BuildError with its stderr if it fails."""
    result = subprocess.run(  # noqa: S603 - the programs and arguments are this package's own
        command,
        cwd=cwd,
        env={**(environ or os.environ), "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        raise BuildError(f"`{' '.join(command)}` failed:\n{result.stderr.strip() or result.stdout.strip()}")
    return result.stdout


def find_uv() -> tuple[str, ...]:
    """Find uv and return the words that start it; raises BuildError if there is none.

    Looked for in this order: the UV variable, PATH, beside this interpreter, and as a module of it.
    """
    beside = Path(sys.executable).with_name("uv")
    for candidate in (os.environ.get("UV"), shutil.which("uv"), str(beside)):
        if candidate and os.access(candidate, os.X_OK):
            return (candidate,)
    if importlib.util.find_spec("uv"):
        return (sys.executable, "-m", "uv")
    raise BuildError("uv was not found: put it on PATH or name it in the UV variable (https://docs.astral.sh/uv/)")


@functools.cache
def find_interpreter(version: str) -> Interpreter | None:
    """Find a working Python of a version such as 3.13, this one first; None if there is none."""
    for candidate in _candidates(version):
        try:
            answer = run([candidate, "-I", "-c", _IDENTIFY], cwd=Path(candidate).parent).split()
        except (BuildError, OSError):
            continue  # a shim that selects no version, or a broken installation
        if len(answer) == 2 and answer[0] == version:
            return Interpreter(Path(candidate), answer[1])
    return None


_IDENTIFY = "import sys; print('%d.%d' % sys.version_info[:2], sys.implementation.cache_tag)"


def _candidates(version: str) -> Iterator[str]:
    if version == f"{sys.version_info.major}.{sys.version_info.minor}":
        yield sys.executable
    if on_path := shutil.which(f"python{version}"):
        yield on_path
    # pyenv's shims hide the versions that are not selected; their folders don't.
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from map(str, sorted(pyenv.glob(f"versions/{version}*/bin/python{version}"), reverse=True))
    try:
        offline = {**os.environ, "UV_PYTHON_DOWNLOADS": "never"}
        yield run([*find_uv(), "python", "find", "--no-project", version], cwd=Path.cwd(), environ=offline).strip()
    except BuildError:
        return

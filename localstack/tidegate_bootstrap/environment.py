"""The project's virtual environment: installed from uv.lock, left alone while nothing changed."""

import fcntl
import hashlib
import os
import subprocess
import sys
from pathlib import Path

from tidegate_bootstrap import uv_tool

_ADVICE = "Make this folder writable, or the index reachable (HTTPS_PROXY, UV_DEFAULT_INDEX), and try again."
_INPUTS = ("uv.lock", "pyproject.toml", "localstack/pyproject.toml", "infra/cdk/pyproject.toml", ".venv/pyvenv.cfg")
# With one of these, uv would call the lock stale, which names PyPI.
_INDEX_VARIABLES = ("UV_DEFAULT_INDEX", "UV_EXTRA_INDEX_URL", "UV_INDEX")
# As on AWS where it can be had; the last one is younger than our tests.
_PREFERENCE = ("3.13", "3.12", "3.11", "3.14")
# A Python that was compiled without one of these looks fine until it is used.
_FITS = "import ctypes, sqlite3, ssl, zlib, sys; print(sys.version_info >= (3, 11))"


def main() -> None:
    """Make the environment of the repository that this file lies in; a failure ends the process with what to do."""
    try:
        make_ready(Path(__file__).resolve().parents[2])
    except subprocess.CalledProcessError as error:
        sys.exit(f"error: `{' '.join(error.cmd[:3])} ...` failed, as it says above. {_ADVICE}")
    except (OSError, ValueError) as error:
        sys.exit(f"error: {error}. {_ADVICE}")
    except KeyboardInterrupt:
        sys.exit(130)


def make_ready(root: Path) -> None:
    """Install what the lock of the repository at `root` says, and uv, unless that has been done."""
    if _is_ready(root) and uv_tool.places(root):
        return
    (root / ".tidegate").mkdir(exist_ok=True)
    with (root / ".tidegate" / "setup.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        uv_tool.share_settings()
        uv = uv_tool.recent(root) or uv_tool.install(root)
        if not _is_ready(root):
            _install(root, uv)


def _is_ready(root: Path) -> bool:
    # A link to a Python that was removed doesn't exist.
    if not all((root / ".venv" / name).exists() for name in ("bin/python", "bin/tidegate", "tidegate-stamp")):
        return False
    return (root / ".venv" / "tidegate-stamp").read_text(encoding="utf-8") == _digest(root)


def _digest(root: Path) -> str:
    contents = [(root / name).read_bytes() for name in _INPUTS]
    return hashlib.sha256(b"\0".join([os.environ.get("UV_PYTHON", "").encode(), *contents])).hexdigest()


def _install(root: Path, uv: str) -> None:
    python = _python(uv)
    sys.stderr.write(f"Installing the locked packages for {python} ...\n")
    stamp, requirements = root / ".venv" / "tidegate-stamp", root / ".tidegate" / "requirements.txt"
    stamp.unlink(missing_ok=True)
    environ = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "UV_PYTHON")}
    environ["UV_PROJECT_ENVIRONMENT"] = ".venv"
    plain = {name: value for name, value in environ.items() if not name.startswith(_INDEX_VARIABLES)}
    # On a terminal uv shows its progress; elsewhere it would only list 140 packages.
    quiet = [] if sys.stderr.isatty() else ["--quiet"]
    commands = [["sync", *quiet, "--locked", "--python", python]]
    if environ != plain:
        # `sync` takes packages from PyPI alone, as locked; by their hashes they may come from the user's index.
        commands = [
            ["export", "--no-config", "--locked", "--python", python, "--quiet", "--output-file", str(requirements)],
            ["venv", "--quiet", "--allow-existing", "--python", python, ".venv"],
            ["pip", "sync", *quiet, "--python", ".venv/bin/python", str(requirements)],
        ]
    for words in commands:
        variables = plain if words[0] == "export" else environ
        subprocess.run([uv, *words], cwd=root, env=variables, stdout=subprocess.DEVNULL, check=True)
    stamp.write_text(_digest(root), encoding="utf-8")


def _python(uv: str) -> str:
    # pyenv's shims hide the versions that are not selected; their folders don't.
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv").glob("versions/3.*/bin")
    path = [str(Path(sys.executable).parent), os.environ.get("PATH", ""), *map(str, pyenv)]
    environ = {**os.environ, "PATH": os.pathsep.join(path)}
    for version in filter(None, (os.environ.get("UV_PYTHON"), *_PREFERENCE)):
        # --system: not this project's own environment, which may be about to be replaced.
        find = [uv, "python", "find", "--system", "--no-project", "--no-python-downloads", version]
        python = uv_tool.ask(find, environ)
        if python and uv_tool.ask([python, "-I", "-c", _FITS]) == "True":
            return python
    return sys.executable

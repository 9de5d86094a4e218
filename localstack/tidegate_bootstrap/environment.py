"""The project's virtual environment, installed from uv.lock and left alone while nothing changed."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tidegate_bootstrap import interpreters, uv_tool
from tidegate_bootstrap.failure import BootstrapError

# With one of these set, uv takes packages from elsewhere than the lock says, so `--locked` calls the lock stale.
_INDEX_VARIABLES = ("UV_DEFAULT_INDEX", "UV_EXTRA_INDEX_URL", "UV_INDEX", "UV_INDEX_URL")
_INPUTS = ("uv.lock", "pyproject.toml", "localstack/pyproject.toml")


@dataclass(frozen=True)
class Environment:
    """The environment of a repository: `.venv` in its root."""

    root: Path

    @property
    def _venv(self) -> Path:
        return self.root / ".venv"

    @property
    def _stamp(self) -> Path:
        return self._venv / "tidegate-stamp"

    def make_ready(self) -> None:
        """Install what the lock says, unless that has been done, and uv, which later commands need, too.

        Raises:
            BootstrapError: uv can't be had, or it failed.
        """
        if self._is_ready():
            if not uv_tool.is_there(self.root):
                uv_tool.install(self.root)
            return
        uv = uv_tool.find(self.root) or uv_tool.install(self.root)
        python = interpreters.choose(uv)
        say(f"Installing the locked packages on Python {python.version} ({python.path}) ...")
        self._stamp.unlink(missing_ok=True)
        if any(os.environ.get(name) for name in _INDEX_VARIABLES):
            self._install_from_index(uv, python.path)
        else:
            # On a terminal uv shows its progress; elsewhere it would only list 140 packages.
            quiet = [] if sys.stderr.isatty() else ["--quiet"]
            self._run([str(uv), "sync", *quiet, "--locked", "--python", str(python.path)])
        self._stamp.write_text(self._digest(), encoding="utf-8")

    def _is_ready(self) -> bool:
        """Also asks whether the interpreter is still there: a link to one that was removed doesn't resolve."""
        if not ((self._venv / "bin" / "python").exists() and (self._venv / "bin" / "tidegate").exists()):
            return False
        try:
            return self._stamp.read_text(encoding="utf-8") == self._digest()
        except FileNotFoundError:
            return False

    def _digest(self) -> str:
        digest = hashlib.sha256(os.environ.get("UV_PYTHON", "").encode())
        for name in _INPUTS:
            digest.update(hashlib.sha256((self.root / name).read_bytes()).digest())
        digest.update((self._venv / "pyvenv.cfg").read_bytes())
        return digest.hexdigest()

    def _install_from_index(self, uv: Path, python: Path) -> None:
        """Install the locked versions, by their hashes, from the index that the environment names."""
        requirements = self.root / ".tidegate" / "requirements.txt"
        requirements.parent.mkdir(exist_ok=True)
        target = ["--python", str(self._venv / "bin" / "python")]
        export = ["export", "--quiet", "--frozen", "--no-emit-workspace", "--output-file", str(requirements)]
        self._run([str(uv), *export])
        self._run([str(uv), "venv", "--quiet", "--allow-existing", "--python", str(python), str(self._venv)])
        self._run([str(uv), "pip", "sync", "--quiet", "--require-hashes", *target, str(requirements)])
        ours = ["--editable", str(self.root), "--editable", str(self.root / "localstack")]
        self._run([str(uv), "pip", "install", "--quiet", "--no-deps", *target, *ours])

    def _run(self, command: Sequence[str]) -> None:
        # An activated environment elsewhere is not the one meant, and a Python is never worth a download here:
        # the one that runs this will do.
        environ = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "UV_PYTHON")}
        environ |= {"UV_PROJECT_ENVIRONMENT": str(self._venv), "UV_PYTHON_DOWNLOADS": "never"}
        done = subprocess.run(command, cwd=self.root, env=environ, check=False)  # noqa: S603 - uv, as a list
        if done.returncode:
            raise BootstrapError(f"`{' '.join(command[:3])} ...` failed; what it says is above.")


def say(line: str) -> None:
    """Tell what takes time, on stderr: stdout belongs to the target that make runs."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()

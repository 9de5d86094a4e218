"""A copy of the repository whose code may be changed, released to a cloud that the repository brought up."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tidegate_local.errors import ScenarioError
from tidegate_local.layout import project_folder

# What no release reads, nor the scenarios; hidden files are none of it either.
_ASIDE = frozenset({"cdk.out", "dist", "docs", "tests", "node_modules"})
# What the environment has installed from the repository, and shall take from the copy.
_PACKAGES = ("localstack", "infra/cdk")
_UNREAD = shutil.ignore_patterns("__pycache__", "node_modules")


@dataclass(frozen=True)
class Clone:
    """The copy at `root`, and the environment of the cloud (TIDEGATE_STATE_DIR, REDIS_URL)."""

    root: Path
    environ: dict[str, str]

    @classmethod
    def at(cls, root: Path, environ: dict[str, str]) -> Clone:
        """Copy the repository; tools and built assets stay where they are."""
        root.mkdir(parents=True)
        (root / ".tidegate").symlink_to(project_folder() / ".tidegate")
        own = os.pathsep.join(str(root / folder) for folder in _PACKAGES if (project_folder() / folder).is_dir())
        clone = cls(root, {**os.environ, **environ, "TIDEGATE_PROJECT": str(root), "PYTHONPATH": own})
        clone.restore()
        return clone

    def restore(self) -> None:
        """Undo all changes."""
        for source in project_folder().iterdir():
            if source.name in _ASIDE or source.name.startswith("."):
                continue
            copy = self.root / source.name
            if source.is_dir():
                shutil.rmtree(copy, ignore_errors=True)
                shutil.copytree(source, copy, ignore=_UNREAD)
            else:
                shutil.copy(source, copy)

    def append(self, file: str, text: str) -> None:
        """Add lines to the end of a file."""
        with (self.root / file).open("a", encoding="utf-8") as opened:
            opened.write(f"\n{text}\n")

    def replace(self, file: str, old: str, new: str) -> None:
        """Change a passage of a file.

        Raises:
            ScenarioError: the passage isn't there just once.
        """
        if not (self.root / file).is_file():
            raise ScenarioError(f"This scenario changes {file} of Tidegate's own checkout: play it there.")
        text = (self.root / file).read_text(encoding="utf-8")
        if text.count(old) != 1:
            raise ScenarioError(f"{file} has {old!r} {text.count(old)} times, not once: adapt the scenario to it.")
        (self.root / file).write_text(text.replace(old, new), encoding="utf-8")

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Run a `tidegate` command of the copy."""
        return subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-m", "tidegate_local", *words],
            cwd=self.root,
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def tidegate(self, *words: str, timeout_s: float = 400) -> tuple[int, str]:
        """Run it to its end; returns its exit status and what it printed."""
        with self.start(*words) as process:
            try:
                printed, _ = process.communicate(timeout=timeout_s)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
            return process.returncode, printed

"""Third-party packages as they ship: installed for a target from hashes, less what nothing reads."""

import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from tidegate_build.assets import Workspace
from tidegate_build.bytecode import compile_tree, drop_sources
from tidegate_build.targets import Target
from tidegate_build.toolchain import Interpreter, find_uv, run


@dataclass(frozen=True)
class Slimming:
    """What of the installed packages ships; paths and globs are relative to the packages' folder.

    `drop` are files that nothing reads; `sourceless` packages ship as bytecode alone; of `services`, folders of boto's
    descriptions, only these are kept.
    """

    drop: Sequence[str]
    sourceless: Sequence[str]
    services: Mapping[str, frozenset[str]]


def install(workspace: Workspace, target: Target, requirements: str, packages: Path) -> None:
    """Install locked packages (pip's requirements, with hashes) into a folder.

    Raises:
        BuildError: uv is missing, or fails to get a locked wheel.
    """
    listed = packages.parent.parent / "requirements.txt"
    listed.write_text(requirements, encoding="utf-8")
    where = (
        ["--python-version", target.python, "--python-platform", target.platform]
        if target.platform
        else ["--python", sys.executable]
    )
    options = ["--only-binary", ":all:", "--require-hashes", "--no-deps", "--requirements", str(listed)]
    run([*find_uv(), "pip", "install", "--quiet", "--target", str(packages), *where, *options], cwd=workspace.root)


def slim(packages: Path, slimming: Slimming) -> None:
    """Leave out what nothing reads."""
    for pattern in slimming.drop:
        for path in packages.glob(pattern):
            if path.is_file():
                path.unlink()
    for folder, kept in slimming.services.items():
        for service in (packages / folder).iterdir():
            if service.is_dir() and service.name not in kept:
                shutil.rmtree(service)


def compiled(packages: Path, slimming: Slimming, interpreter: Interpreter, installed_at: PurePosixPath) -> None:
    """Compile all, and keep only the bytecode of those that ship without their sources."""
    compile_tree(packages, interpreter, installed_at)
    for name in slimming.sourceless:
        drop_sources(packages / name, interpreter)

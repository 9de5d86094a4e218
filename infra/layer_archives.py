"""Builds the layers' archives into a folder: `python -m infra.layer_archives arm64 dist`."""

import shutil
import sys
from pathlib import Path

from infra.artefacts import dependencies_layer, library_layer
from tidegate_build.assets import Workspace
from tidegate_build.targets import LAMBDA_ARM64, LAMBDA_X86_64, Target
from tidegate_build.toolchain import BuildError

_TARGETS = {target.architecture: target for target in (LAMBDA_ARM64, LAMBDA_X86_64)}


def archives(workspace: Workspace, architecture: str, into: Path) -> list[Path]:
    """Build both archives, and copy them into a folder by the names of what they hold.

    Raises:
        BuildError: uv is missing, or fails to get a locked wheel.
    """
    target = _TARGETS[architecture]
    built = {"tidegate": library_layer(workspace, target), "dependencies": dependencies_layer(workspace, target)}
    into.mkdir(parents=True, exist_ok=True)
    return [Path(shutil.copy(asset.path, into / file_name(name, target))) for name, asset in built.items()]


def file_name(name: str, target: Target) -> str:
    """Name the archive of a layer."""
    return f"{name}-layer-py{target.python}-{target.architecture}.zip"


def main() -> None:
    """Build them, and print where they are."""
    architecture, into = sys.argv[1:]
    for archive in archives(Workspace.at(Path.cwd()), architecture, Path(into)):
        print(archive)  # noqa: T201  what the command is for


if __name__ == "__main__":
    try:
        main()
    except (BuildError, OSError) as error:
        sys.exit(f"tidegate: {error}")

"""Both layers as archives in a folder, for those who deploy by other tools than CDK."""

import shutil
import tempfile
from pathlib import Path

from tidegate_build.assets import Workspace
from tidegate_build.dependencies import dependencies_layer
from tidegate_build.library import library_layer, library_packages
from tidegate_build.targets import LAMBDA_ARM64, LAMBDA_X86_64, Target

_TARGETS = {target.architecture: target for target in (LAMBDA_ARM64, LAMBDA_X86_64)}


def layer_archives(architecture: str, into: Path) -> list[Path]:
    """Build both archives, and put them into a folder by the names of what they hold; nothing else is left anywhere.

    Args:
        architecture: Lambda's name of the functions' processor, arm64 or x86_64.
        into: the folder, which is made if it isn't there.

    Raises:
        ArchiveMissingError: the package was installed without what its wheel has.
        BuildError: uv is missing, or fails to get a locked wheel.
    """
    target = _TARGETS[architecture]
    into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as work:
        workspace = Workspace(Path(work), Path(work, "state"))
        built = {
            "tidegate": library_layer(workspace, target),
            "dependencies": dependencies_layer(workspace, target, library_packages()),
        }
        return [Path(shutil.copy(asset.path, into / file_name(name, target))) for name, asset in built.items()]


def file_name(name: str, target: Target) -> str:
    """Name the archive of a layer."""
    return f"{name}-layer-py{target.python}-{target.architecture}.zip"

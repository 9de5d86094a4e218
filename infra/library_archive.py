"""Builds the library's layer for any platform and Python, and prints where it is: `python -m infra.library_archive`.

It is what the package of infra/cdk ships. Sources alone are in it, since the Python that will run it isn't known.
"""

import shutil
import sys
from pathlib import Path, PurePosixPath

from tidegate_build.assets import Asset, Workspace, build, digest_of, source_files


def archive(workspace: Workspace) -> Asset:
    """Build the archive: the folder `layers/tidegate` as it stands."""
    files = source_files(workspace.root / "layers" / "tidegate", "")

    def fill(tree: Path) -> None:
        for relative, source in files.items():
            copy = tree / PurePosixPath(relative)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, copy)

    return build(workspace, "layer-tidegate-any", digest_of(["any"], files), fill)


if __name__ == "__main__":
    sys.stdout.write(f"{archive(Workspace.at(Path(__file__).parents[1])).path}\n")

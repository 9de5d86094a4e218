"""Lists the locked packages of the layer beside the library's in a file: `python -m infra.library_packages` prints it.

It is what the package of infra/cdk ships, so that the layer can be built where this repository's lock isn't.
"""

import sys
from pathlib import Path

from infra.artefacts import locked_packages
from tidegate_build.assets import Workspace


def main() -> None:
    """Write them to the state folder."""
    workspace = Workspace.at(Path(__file__).parents[1])
    listed = workspace.state / "assets" / "layer-requirements.txt"
    listed.parent.mkdir(parents=True, exist_ok=True)
    listed.write_text(locked_packages(workspace), encoding="utf-8")
    sys.stdout.write(f"{listed}\n")


if __name__ == "__main__":
    main()

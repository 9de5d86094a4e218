"""Puts the archives into the packages: the function that leads releases and the library's layer, ready for upload."""

import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

# Each with the checkout's module that builds it.
_ARCHIVES = {
    "tidegate_cdk/controller.zip": "infra.controller_archive",
    "tidegate_cdk/layer.zip": "infra.library_archive",
}


class Archives(BuildHookInterface):
    """Builds the archives in a checkout; a source archive has them already."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add them to what is packed, but for an installation that is edited, which reads the checkout."""
        if version == "editable":
            return
        for archive, builder in _ARCHIVES.items():
            packed = Path(self.root, archive)
            build_data["force_include"][str(packed if packed.exists() else self._built(builder))] = archive

    def _built(self, builder: str) -> Path:
        checkout = Path(self.root).parents[1]
        built = subprocess.run(  # noqa: S603  our own modules
            [sys.executable, "-m", builder], cwd=checkout, check=True, capture_output=True, text=True
        )
        return Path(built.stdout.strip())

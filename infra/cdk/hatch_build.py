"""Puts what is built into the packages: the function that leads releases and the library's layer, ready for upload."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

# Each with the checkout's module that builds it.
_BUILT = {
    "tidegate_build/controller.zip": "infra.controller_archive",
    "tidegate_build/layer.zip": "infra.library_archive",
    "tidegate_build/layer-requirements.txt": "infra.library_packages",
}
# What is in the checkout as it stands.
_FILES = {"tidegate_build/recipe.toml": "layers/dependencies/recipe.toml"}


class Built(BuildHookInterface):
    """Builds the archives in a checkout; a source archive has them already."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add them to what is packed, but for an installation that is edited, which reads the checkout."""
        if version == "editable":
            return
        for place, builder in _BUILT.items():
            packed = Path(self.root, place)
            build_data["force_include"][str(packed if packed.exists() else self._built(builder))] = place
        for place, source in _FILES.items():
            packed, checkout = Path(self.root, place), Path(self.root).parents[1]
            build_data["force_include"][str(packed if packed.exists() else checkout / source)] = place

    def _built(self, builder: str) -> Path:
        checkout = Path(self.root).parents[1]
        # tidegate_build is beside this file, and installed nowhere while its package is built.
        environ = {**os.environ, "PYTHONPATH": self.root}
        built = subprocess.run(  # noqa: S603  our own modules
            [sys.executable, "-m", builder], cwd=checkout, env=environ, check=True, capture_output=True, text=True
        )
        return Path(built.stdout.strip())

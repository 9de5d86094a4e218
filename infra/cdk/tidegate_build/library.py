"""The library as a layer, for any platform or, with bytecode, for one; and the packages that it imports."""

from pathlib import Path

from tidegate_build.assets import Asset, Workspace, build, digest_of, unpack
from tidegate_build.bytecode import LAYER_ROOT, bytecode_fact, compile_tree, compiler_for
from tidegate_build.code import LAYER_PACKAGES
from tidegate_build.shipped import shipped
from tidegate_build.targets import Target


def library_archive() -> Path:
    """Return the layer's archive, for any platform; raises ArchiveMissingError if there is none."""
    return shipped("layer.zip", "infra.library_archive")


def library_packages() -> str:
    """List the locked packages that the library imports, with their hashes, in pip's format.

    Raises:
        ArchiveMissingError: the list is missing.
    """
    return shipped("layer-requirements.txt", "infra.library_packages").read_text(encoding="utf-8")


def library_layer(workspace: Workspace, target: Target) -> Asset:
    """Build the layer's archive for a target: that for any platform, and bytecode.

    Raises:
        ArchiveMissingError: there is none for any platform.
    """
    packed, interpreter = library_archive(), compiler_for(target)
    digest = digest_of([bytecode_fact(interpreter)], {"layer.zip": packed})

    def fill(tree: Path) -> None:
        unpack(Asset(packed, digest), tree)
        if interpreter:
            compile_tree(tree / LAYER_PACKAGES, interpreter, LAYER_ROOT)

    return build(workspace, "layer-tidegate-packed", digest, fill)

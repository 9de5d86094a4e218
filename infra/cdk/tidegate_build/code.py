"""Archives of our own sources, with their bytecode; and of a function with its layers inside, where none are loaded."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from tidegate_build.assets import Asset, Workspace, build, digest_of, unpack
from tidegate_build.bytecode import TASK_ROOT, bytecode_fact, compile_tree, compiler_for
from tidegate_build.targets import Target

# The folder of a layer's archive that is on Python's path.
LAYER_PACKAGES = PurePosixPath("python")
_ALL = PurePosixPath()


def code_archive(
    workspace: Workspace,
    name: str,
    files: Mapping[str, Path],
    target: Target,
    *,
    installed_at: PurePosixPath = TASK_ROOT,
    compiled_below: PurePosixPath = _ALL,
) -> Asset:
    """Build an archive of files by the paths in it, and compile those in one of its folders.

    Args:
        workspace: where archives are kept.
        name: begins the archive's name.
        files: what is in it.
        target: what will run it.
        installed_at: where tracebacks say that the compiled files are.
        compiled_below: the folder of the archive that is compiled.
    """

    def fill(tree: Path) -> None:
        for relative, source in files.items():
            copy = tree / PurePosixPath(relative)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, copy)
        if interpreter:
            compile_tree(tree / compiled_below, interpreter, installed_at)

    interpreter = compiler_for(target)
    return build(workspace, name, digest_of([bytecode_fact(interpreter)], files), fill)


def with_layers(workspace: Workspace, function: Asset, layers: Sequence[Asset]) -> Asset:
    """Build a function's archive with its layers' packages beside its own, as they are, with their bytecode."""

    def fill(tree: Path) -> None:
        for layer in layers:
            unpack(layer, tree, LAYER_PACKAGES)
        unpack(function, tree)

    name = f"{function.path.stem.rpartition('-')[0]}-with-layers"
    return build(workspace, name, digest_of([function.digest, *(layer.digest for layer in layers)], {}), fill)

"""What ships of our own: each function's code, and the library as a layer, both with their bytecode."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from infra.assets import Asset, Workspace, build, digest_of, source_files, unpack
from infra.bytecode import LAYER_ROOT, TASK_ROOT, bytecode_fact, compile_tree, compiler_for
from infra.targets import Target

# The folder of a layer's archive that is on Python's path.
LAYER_PACKAGES = PurePosixPath("python")
# A function whose package imports another's ships that, too; or some of its files, if it shan't change with the rest.
_SHIPS_WITH: Mapping[str, tuple[str, ...]] = {"worker": ("api",)}
_SHIPS_FILES: Mapping[str, tuple[str, ...]] = {"migrate": ("api/__init__.py", "api/schema.py")}


def function_files(workspace: Workspace, name: str) -> dict[str, Path]:
    """List what the archive of `functions/<name>` is made of, by the path in it."""
    functions = workspace.root / "functions"
    files: dict[str, Path] = {}
    for package in (name, *_SHIPS_WITH.get(name, ())):
        files |= source_files(functions / package, f"functions/{package}")
    files |= {f"functions/{file}": functions / file for file in _SHIPS_FILES.get(name, ())}
    if (shared := functions / "__init__.py").exists():
        files["functions/__init__.py"] = shared
    return files


def library_files(workspace: Workspace) -> dict[str, Path]:
    """List what the archive of the `tidegate` layer is made of, by the path in it."""
    return source_files(workspace.root / "layers" / "tidegate", "")


def function_code(workspace: Workspace, name: str, target: Target) -> Asset:
    """Build the archive of `functions/<name>`, which keeps that path: its modules import by the same names."""
    files = function_files(workspace, name)

    def fill(tree: Path) -> None:
        _copy(files, tree)
        if interpreter:
            compile_tree(tree, interpreter, TASK_ROOT)

    interpreter = compiler_for(target)
    return build(workspace, f"function-{name}", digest_of([bytecode_fact(interpreter)], files), fill)


def library_layer(workspace: Workspace, target: Target) -> Asset:
    """Build the archive of the `tidegate` layer: the folder `layers/tidegate` as it stands, and bytecode."""
    files = library_files(workspace)

    def fill(tree: Path) -> None:
        _copy(files, tree)
        if interpreter:
            compile_tree(tree / "python", interpreter, LAYER_ROOT)

    interpreter = compiler_for(target)
    return build(workspace, "layer-tidegate", digest_of([bytecode_fact(interpreter)], files), fill)


def with_layers(workspace: Workspace, function: Asset, layers: Sequence[Asset]) -> Asset:
    """Build a function's archive with its layers' packages beside its own, as they are, with their bytecode."""

    def fill(tree: Path) -> None:
        for layer in layers:
            unpack(layer, tree, LAYER_PACKAGES)
        unpack(function, tree)

    name = f"{function.path.stem.rpartition('-')[0]}-with-layers"
    return build(workspace, name, digest_of([function.digest, *(layer.digest for layer in layers)], {}), fill)


def _copy(files: Mapping[str, Path], tree: Path) -> None:
    for relative, source in files.items():
        copy = tree / PurePosixPath(relative)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, copy)

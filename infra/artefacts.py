"""What ships of this repository: each function's code, and the library as a layer, both with their bytecode."""

from collections.abc import Mapping
from pathlib import Path

from tidegate_build import dependencies
from tidegate_build.assets import Asset, Workspace, source_files
from tidegate_build.bytecode import LAYER_ROOT
from tidegate_build.code import LAYER_PACKAGES, code_archive
from tidegate_build.dependencies import Locked
from tidegate_build.targets import Target

# The packages that all functions import, of those in uv.lock.
_LOCKED = Locked(groups=("functions",))
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
    return code_archive(workspace, f"function-{name}", function_files(workspace, name), target)


def library_layer(workspace: Workspace, target: Target) -> Asset:
    """Build the archive of the `tidegate` layer: the folder `layers/tidegate` as it stands, and bytecode."""
    files = library_files(workspace)
    return code_archive(
        workspace, "layer-tidegate", files, target, installed_at=LAYER_ROOT, compiled_below=LAYER_PACKAGES
    )


def locked_packages(workspace: Workspace) -> str:
    """List the functions' locked packages with their hashes, in pip's format; raises BuildError if uv is missing."""
    return _LOCKED.requirements(workspace)


def dependencies_layer(workspace: Workspace, target: Target) -> Asset:
    """Build the archive of the functions' locked packages; raises BuildError if uv fails to get one."""
    return dependencies.dependencies_layer(workspace, target, locked_packages(workspace))

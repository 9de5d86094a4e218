"""What `tidegate watch` swaps: the live functions' code and the library's layer, kept unpacked and archived again.

`python -m infra.swapped_code ROOT FOLDER api worker` prints each archive of the sources at ROOT, and its files.
It takes a moment where a deploy's archives take seconds: only files that changed are compiled again, and nothing is
compressed. A file with an error of syntax is named with its line, and nothing is archived.
"""

import hashlib
import json
import py_compile
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from infra.artefacts import function_files, library_files
from tidegate_build.assets import Workspace, archive_tree
from tidegate_build.bytecode import LAYER_ROOT, TASK_ROOT
from tidegate_build.code import LAYER_PACKAGES

LIBRARY = "library"


def swapped(workspace: Workspace, folder: Path, functions: list[str]) -> dict[str, dict[str, Any]]:
    """Return the archive of each function and of the library, and the digests of its files by their paths in it.

    Raises:
        py_compile.PyCompileError: a file has an error of syntax.
    """
    told = {
        name: _part(folder, name, function_files(workspace, name), PurePosixPath(), TASK_ROOT) for name in functions
    }
    told[LIBRARY] = _part(folder, LIBRARY, library_files(workspace), LAYER_PACKAGES, LAYER_ROOT)
    return told


def _part(
    folder: Path, name: str, files: Mapping[str, Path], packages: PurePosixPath, installed_at: PurePosixPath
) -> dict[str, Any]:
    tree = folder / name
    kept: set[Path] = set()
    digests: dict[str, str] = {}
    for relative, source in files.items():
        place, content = tree / PurePosixPath(relative), source.read_bytes()
        digests[relative] = hashlib.sha256(content).hexdigest()
        below = PurePosixPath(relative)
        compiled = below.suffix == ".py" and below.is_relative_to(packages)
        bytecode = place.parent / "__pycache__" / f"{place.stem}.{sys.implementation.cache_tag}.pyc"
        kept |= {place, bytecode} if compiled else {place}
        if place.exists() and place.read_bytes() == content:
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
        place.chmod(source.stat().st_mode & 0o777)
        if compiled:
            _compile(place, bytecode, source, installed_at / below.relative_to(packages))
    for file in [file for file in tree.rglob("*") if file.is_file() and file not in kept]:
        file.unlink()
    return {"archive": str(_archived(folder, name, digests)), "files": digests}


def _compile(place: Path, bytecode: Path, source: Path, installed_at: PurePosixPath) -> None:
    """Compile a copy; one that can't be is taken away, so that it isn't taken for known."""
    try:
        py_compile.compile(
            str(place),
            cfile=str(bytecode),
            dfile=str(installed_at),
            doraise=True,
            invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
        )
    except py_compile.PyCompileError as error:
        place.unlink()
        error.file = str(source)
        raise


def _archived(folder: Path, name: str, digests: Mapping[str, str]) -> Path:
    contents = hashlib.sha256(json.dumps(digests, sort_keys=True).encode()).hexdigest()
    archive = folder / f"{name}-{contents[:16]}.zip"
    if not archive.exists():
        for former in folder.glob(f"{name}-*.zip"):
            former.unlink()
        draft = archive.with_suffix(".draft")
        archive_tree(folder / name, draft, zipfile.ZIP_STORED)
        draft.replace(archive)
    return archive


def main() -> None:
    """Print them; or the line that has an error of syntax, with the exit status 2."""
    root, folder, *functions = sys.argv[1:]
    workspace = Workspace.at(Path(root))
    try:
        told = swapped(workspace, Path(folder), functions)
    except py_compile.PyCompileError as error:
        file = Path(error.file).resolve().relative_to(workspace.root)
        line = getattr(error.exc_value, "lineno", None) or 1
        sys.stderr.write(f"{file}:{line}: {error.exc_type_name}: {getattr(error.exc_value, 'msg', error.exc_value)}\n")
        sys.exit(2)
    print(json.dumps(told))  # noqa: T201  what the command is for


if __name__ == "__main__":
    main()

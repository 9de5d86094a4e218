"""Zip archives of what ships: named by a digest of their sources, built once, the same wherever built."""

import hashlib
import os
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from tidegate_build.sources import sources

# Part of every digest: raise it when a change of the building code changes what the same sources give.
FORMAT = "1"

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip can hold
_ROOT = PurePosixPath()


@dataclass(frozen=True)
class Workspace:
    """The repository that assets are built from, and the folder for what is built (both absolute)."""

    root: Path
    state: Path

    @classmethod
    def at(cls, root: Path) -> "Workspace":
        """Take the state folder from TIDEGATE_STATE_DIR, else `.tidegate` at the root."""
        root = root.resolve()
        return cls(root, root / os.environ.get("TIDEGATE_STATE_DIR", ".tidegate"))


@dataclass(frozen=True)
class Asset:
    """A finished archive; `digest` is the hex SHA-256 of its sources, not of its bytes."""

    path: Path
    digest: str


def source_files(folder: Path, prefix: str) -> dict[str, Path]:
    """List the files below a folder that ship, by their path in the archive, which starts with `prefix`."""
    return {str(PurePosixPath(prefix, file.relative_to(folder).as_posix())): file for file in sources(folder)}


def digest_of(facts: Iterable[str], files: Mapping[str, Path]) -> str:
    """Digest facts and files (names, contents and executable bits, but not times) to hex SHA-256."""
    digest = hashlib.sha256()
    for fact in (FORMAT, *facts):
        digest.update(f"{fact}\0".encode())
    for name, path in sorted(files.items()):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{name}\0{_is_executable(path)}\0{content}\0".encode())
    return digest.hexdigest()


def build(workspace: Workspace, name: str, digest: str, fill: Callable[[Path], None]) -> Asset:
    """Return the archive of a name and digest: the cached one, else made from the folder that `fill` fills."""
    cache = workspace.state / "assets"
    archive = cache / f"{name}-{digest[:32]}.zip"
    if not archive.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache, prefix=f"{name}-") as work:
            tree = Path(work, "tree")
            tree.mkdir()
            fill(tree)
            finished = Path(work, archive.name)
            archive_tree(tree, finished)
            finished.replace(archive)  # in one step: nobody ever sees half an archive
    return Asset(archive, digest)


def unpack(asset: Asset, tree: Path, below: PurePosixPath = _ROOT) -> None:
    """Unpack an archive's files into a folder, those `below` one of its own folders alone and without that folder."""
    with zipfile.ZipFile(asset.path) as bundle:
        for entry in bundle.infolist():
            if PurePosixPath(entry.filename).is_relative_to(below):
                file = tree / PurePosixPath(entry.filename).relative_to(below)
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(bundle.read(entry))
                file.chmod(entry.external_attr >> 16)


def archive_tree(tree: Path, archive: Path, compression: int = zipfile.ZIP_DEFLATED) -> None:
    """Zip a folder so that equal contents give equal bytes: sorted, without times, owners or umasks."""
    with zipfile.ZipFile(archive, "w") as bundle:
        for path in sorted(path for path in tree.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(path.relative_to(tree).as_posix(), _EPOCH)
            entry.compress_type = compression
            entry.create_system = 3  # Unix, so that the permissions below are read
            entry.external_attr = (0o100755 if _is_executable(path) else 0o100644) << 16
            bundle.writestr(entry, path.read_bytes())


def _is_executable(path: Path) -> bool:
    return bool(path.stat().st_mode & 0o111)

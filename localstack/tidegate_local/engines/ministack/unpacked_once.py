"""Unpacks what a function ships once for all its workers, instead of once for each.

MiniStack gives every worker process its own copy of the function's code and layers: a thousand files, a third
of a second and 30 MB for each of ours, in one process, so that a burst of cold starts waits in line for it. On
AWS code and layers are read-only, so workers may as well share them: the first one unpacks, the others get
symbolic links to the entries at the top of that. MiniStack removes a worker's folder without following links.
"""

import tempfile
import zipfile
from hashlib import sha256
from pathlib import Path
from threading import Lock
from types import SimpleNamespace
from typing import Any

from ministack.core import lambda_runtime

_unpacking = Lock()


class SharedZipFile(zipfile.ZipFile):
    """A zip file whose contents are unpacked once, and linked to from then on."""

    def extractall(self, path: Any = None, members: Any = None, pwd: bytes | None = None) -> None:
        """Link everything into a folder; parts, and what is encrypted, are unpacked there as ever."""
        if path is None or members is not None or pwd is not None:
            super().extractall(path, members, pwd)
            return
        unpacked = Path(tempfile.gettempdir()) / f"unpacked-{self._contents()}"
        with _unpacking:
            if not unpacked.exists():
                fresh = Path(tempfile.mkdtemp(prefix="unpacking-"))
                super().extractall(fresh)
                fresh.rename(unpacked)
        for entry in unpacked.iterdir():
            (Path(path) / entry.name).symlink_to(entry)

    def _contents(self) -> str:
        """A digest of the names and checksums of everything inside."""
        listing = [f"{entry.filename} {entry.CRC} {entry.file_size}" for entry in self.infolist()]
        return sha256("\n".join(listing).encode()).hexdigest()[:32]


def install() -> None:
    """Hook the engine in this process; call it once, before the engine serves."""
    shared = SimpleNamespace(**{**vars(zipfile), "ZipFile": SharedZipFile})
    lambda_runtime.zipfile = shared

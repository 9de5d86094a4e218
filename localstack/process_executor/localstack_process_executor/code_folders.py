"""The folders that functions run from: a version's code and its layers, unpacked once for all its environments.

LocalStack deletes its own unpacked copy as soon as a function is updated, while invocations of the old code may
still import from it. So they run from links to those files, which go when the version's last user is gone.
"""

import os
import shutil
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass
class _Folder:
    path: Path
    users: int = 0


class CodeFolders:
    """Folders by key, each made by its first user and removed with its last.

    Args:
        root: where they are made; a folder of this process alone.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._folders: dict[str, _Folder] = {}
        self._lock = threading.Lock()

    def hold(self, key: str, sources: Sequence[Path] = ()) -> Path:
        """Return the folder of this key, which stays till it is released.

        It is made of the sources' files, where later ones replace earlier ones.

        Raises:
            KeyError: nobody holds it, and there are no sources to make it of.
        """
        with self._lock:
            folder = self._folders.get(key)
            if folder is None:
                if not sources:
                    raise KeyError(key)
                folder = _Folder(_linked(sources, self._root))
                self._folders[key] = folder
            folder.users += 1
            return folder.path

    def release(self, key: str) -> None:
        """Give a folder back; nothing happens if nobody holds it."""
        with self._lock:
            folder = self._folders.get(key)
            if folder is None:
                return
            folder.users -= 1
            if folder.users == 0:
                del self._folders[key]
                shutil.rmtree(folder.path, ignore_errors=True)


def _linked(sources: Sequence[Path], root: Path) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=root))
    folder.chmod(0o755)
    for source in sources:
        shutil.copytree(source, folder, symlinks=True, copy_function=_link, dirs_exist_ok=True)
    return folder


def _link(source: str, target: str) -> None:
    Path(target).unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without links
        shutil.copy2(source, target)

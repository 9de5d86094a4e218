"""A process that dies in the middle of a request leaves a mark, and the next one in the same sandbox counts it.

Whoever runs out of memory, or ends by a fault in a C extension, counts nothing any more: its client gets a 502 of API
Gateway's. Lambda starts the next process in the same sandbox and "does not clear the /tmp directory content prior to
the next init phase" (AWS Lambda developer guide, "Understanding the execution environment lifecycle"). So each process
has a file there, of one byte in memory, which costs a request two assignments. Its lock tells whether it lives: the
kernel frees it with the process.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from tidegate.outcomes.tally import Source

# What the byte says: nothing runs, the first request after the start, a later one.
_IDLE, _COLD, _WARM = 0, 1, 2
Died = Literal["cold", "warm"]


class InFlight:
    """This process's mark.

    Args:
        folder: what outlives a process and is its sandbox's alone, or is shared by sandboxes on one machine.
        source: whose requests they are.

    Raises:
        OSError: the folder takes no file.
    """

    def __init__(self, folder: Path, source: Source) -> None:
        self._prefix = f"tidegate-{'-'.join(source)}-"
        self._folder = folder
        self._path = folder / f"{self._prefix}{uuid.uuid4().hex}"
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            os.ftruncate(file, 1)
            self._mark = mmap.mmap(file, 1)  # it keeps the file open, and so locked
        finally:
            os.close(file)
        self._next = _COLD

    def began(self) -> None:
        """Note that a request runs."""
        self._mark[0] = self._next

    def ended(self) -> None:
        """Note that none does any more."""
        self._mark[0] = _IDLE
        self._next = _WARM

    def died(self) -> list[Died]:
        """Return the requests in whose middle former processes died; each is told once."""
        others = [path for path in self._folder.glob(f"{self._prefix}*") if path != self._path]
        marks = [_claimed(path) for path in others]
        return ["cold" if mark == _COLD else "warm" for mark in marks if mark != _IDLE]

    def close(self) -> None:
        """Take the mark away: whoever ends in order leaves nothing."""
        self._path.unlink(missing_ok=True)


def _claimed(path: Path) -> int:
    """Read the mark of a process that is dead, and delete it; that of a living one, or of none, says nothing."""
    try:
        file = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return _IDLE
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        mark = os.pread(file, 1, 0)
        os.pwrite(file, bytes([_IDLE]), 0)  # who opened it at the same moment reads nothing
        path.unlink(missing_ok=True)
    except BlockingIOError:
        return _IDLE
    finally:
        os.close(file)
    return mark[0] if mark else _IDLE

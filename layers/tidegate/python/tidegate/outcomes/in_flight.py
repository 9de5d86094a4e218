"""A process that dies in the middle of a request leaves a mark, and the next one in the same sandbox counts it.

A process that runs out of memory, or crashes in a C extension, can't count its last request: the client gets a 502 of
API Gateway. Lambda starts the next process in the same sandbox and "does not clear the /tmp directory content prior to
the next init phase" (AWS Lambda developer guide, "Understanding the execution environment lifecycle"). So each process
has a file there of one byte, mapped into memory, which costs a request two assignments. The file's lock shows whether
its process lives, since the kernel releases it with the process.
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

# The byte's values: no request runs; the first request after the start runs; a later one runs.
_IDLE, _COLD, _WARM = 0, 1, 2
Died = Literal["cold", "warm"]


class InFlight:
    """This process's mark.

    Args:
        folder: a folder that outlives processes. It belongs to one sandbox, or to several on one machine.
        source: the version whose requests they are.

    Raises:
        OSError: no file can be written there.
    """

    def __init__(self, folder: Path, source: Source) -> None:
        self._prefix = f"tidegate-{'-'.join(source)}-"
        self._folder = folder
        self._path = folder / f"{self._prefix}{uuid.uuid4().hex}"
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            os.ftruncate(file, 1)
            self._mark = mmap.mmap(file, 1)  # this keeps the file open, and so locked
        finally:
            os.close(file)
        self._next = _COLD

    def began(self) -> None:
        """Note that a request runs."""
        self._mark[0] = self._next

    def ended(self) -> None:
        """Note that no request runs any more."""
        self._mark[0] = _IDLE
        self._next = _WARM

    def died(self) -> list[Died]:
        """Return the kinds of the requests in which earlier processes died, each of them once."""
        others = [path for path in self._folder.glob(f"{self._prefix}*") if path != self._path]
        marks = [_taken(path) for path in others]
        return ["cold" if mark == _COLD else "warm" for mark in marks if mark != _IDLE]

    def close(self) -> None:
        """Delete the mark: a process that ends in order leaves none."""
        self._path.unlink(missing_ok=True)


def _taken(path: Path) -> int:
    """Read and delete the mark of a dead process; idle for a living process, or if the file is gone."""
    try:
        file = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return _IDLE
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        mark = os.pread(file, 1, 0)
        os.pwrite(file, bytes([_IDLE]), 0)  # another process that has opened it already must not count it, too
        path.unlink(missing_ok=True)
    except BlockingIOError:
        return _IDLE
    finally:
        os.close(file)
    return mark[0] if mark else _IDLE

"""What a process has started, and what that has: to see that nothing outlives it. Linux only; else it is nothing."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import NamedTuple


class Known(NamedTuple):
    """A process, by its pid and when it began (in the kernel's ticks): pids are handed out again."""

    pid: int
    began: int


def below(pid: int) -> set[Known]:
    """The living processes below one."""
    living = _living()
    found: set[Known] = set()
    parents = {pid}
    while parents:
        children = {known for known, parent in living.items() if parent in parents}
        found |= children
        parents = {child.pid for child in children}
    return found


def still_alive(processes: set[Known]) -> set[Known]:
    """Those of the processes that go on."""
    return processes & _living().keys()


def is_running(pid: int) -> bool:
    """Whether it runs; a zombie, which waits to be reaped by whoever inherited it, doesn't."""
    return any(known.pid == pid for known in _living())


def _living() -> dict[Known, int]:
    """Every process's parent; zombies are dead."""
    found = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(FileNotFoundError, ProcessLookupError):
            # After the command's name in parentheses, which may hold spaces and parentheses itself.
            fields = stat.read_text().rpartition(")")[2].split()
            if fields[0] != "Z":
                found[Known(int(stat.parent.name), int(fields[19]))] = int(fields[1])
    return found

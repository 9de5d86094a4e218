"""What this local cloud has started, on record from the moment it runs until it is stopped."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from tidegate_local.files import write_atomically
from tidegate_local.processes import ProcessIdentity, is_running, stop


@dataclass(frozen=True)
class ManagedProcess:
    """A process of ours.

    `url` is where it answers; `build` tells versions apart: a process of another build is replaced, not reused.
    """

    name: str
    identity: ProcessIdentity
    url: str
    build: str


@dataclass(frozen=True)
class ProcessRegistry:
    """The processes on record in one file; a command that was killed leaves no process unknown."""

    file: Path

    def all(self) -> tuple[ManagedProcess, ...]:
        """Return every process on record, running or not."""
        return tuple(self._read().values())

    def find(self, name: str) -> ManagedProcess | None:
        """Return the process of that name, running or not."""
        return self._read().get(name)

    def running(self, name: str) -> ManagedProcess | None:
        """Return the process of that name if it still runs and is the one that we started."""
        process = self.find(name)
        return process if process and is_running(process.identity) else None

    def record(self, process: ManagedProcess) -> None:
        """Put a process on record, in place of another of its name."""
        self._write({**self._read(), process.name: process})

    def stop(self, name: str) -> bool:
        """Stop a process and its group and forget it; False if it wasn't running."""
        processes = self._read()
        process = processes.pop(name, None)
        stopped = process is not None and stop(process.identity)
        self._write(processes)
        return stopped

    def _read(self) -> dict[str, ManagedProcess]:
        try:
            stored = json.loads(self.file.read_text())
            return {
                name: ManagedProcess(
                    name,
                    ProcessIdentity(entry["identity"]["pid"], entry["identity"]["began"]),
                    entry["url"],
                    entry["build"],
                )
                for name, entry in stored.items()
            }
        except FileNotFoundError:
            return {}
        except (ValueError, KeyError, TypeError, AttributeError):
            # Unreadable means written by another version: nothing in it can be proven ours.
            return {}

    def _write(self, processes: dict[str, ManagedProcess]) -> None:
        if processes:
            write_atomically(self.file, {name: asdict(process) for name, process in processes.items()})
        else:
            self.file.unlink(missing_ok=True)

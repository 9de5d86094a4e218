"""`tidegate down`: stops what `up` started, and nothing else."""

import shutil

from tidegate_local.layout import StateFolder, exclusive
from tidegate_local.registry import ProcessRegistry


def take_down(folder: StateFolder) -> tuple[str, ...]:
    """Stop the processes of a state folder and forget the cloud; returns the names of those that ran.

    Logs, tools and built assets stay.

    Raises:
        BusyError: an `up` is at work on it.
    """
    registry = ProcessRegistry(folder.processes_file)
    with exclusive(folder.path / "lock", "at work on this cloud"):
        stopped = tuple(process.name for process in registry.all() if registry.stop(process.name))
        clear(folder)
    return stopped


def clear(folder: StateFolder) -> None:
    """Remove what describes or belonged to a cloud that is gone."""
    folder.state_file.unlink(missing_ok=True)
    for leftover in (folder.engine_scratch, folder.redis_data, folder.assembly):
        shutil.rmtree(leftover, ignore_errors=True)

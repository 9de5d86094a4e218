"""`tidegate down`: stops what `up` started, and nothing else."""

import shutil

from tidegate_local.engines import containers
from tidegate_local.layout import StateFolder, exclusive
from tidegate_local.registry import ProcessRegistry


def take_down(folder: StateFolder) -> tuple[str, ...]:
    """Stop the processes and containers of a state folder and forget the cloud; returns the names of what ran.

    Logs, tools and built assets stay.

    Raises:
        BusyError: an `up` is at work on it.
        LocalCloudError: Docker, which runs its containers, is gone or refuses.
    """
    registry = ProcessRegistry(folder.processes_file)
    with exclusive(folder.path / "lock", "at work on this cloud"):
        stopped = tuple(process.name for process in registry.all() if registry.stop(process.name))
        if containers.stop(folder):
            stopped += ("containers",)
        clear(folder)
    return stopped


def clear(folder: StateFolder) -> None:
    """Remove what describes or belonged to a cloud that is gone."""
    folder.state_file.unlink(missing_ok=True)
    folder.open_release.unlink(missing_ok=True)
    folder.edge_file.unlink(missing_ok=True)
    folder.forget_hot()
    for leftover in (folder.engine_scratch, folder.redis_data, folder.assembly):
        shutil.rmtree(leftover, ignore_errors=True)

"""The cloud that is up, if one is: its state file, its processes, its engine."""

from collections.abc import Iterator

from tidegate_local.doctor.finding import Finding, failure, ok, warning
from tidegate_local.engines import containers, gaps, health
from tidegate_local.errors import StateError
from tidegate_local.layout import StateFolder
from tidegate_local.registry import ProcessRegistry
from tidegate_local.state import LocalState

_ANEW = "`make down && make up` makes it anew."
_PATIENCE_S = 5.0


def state_of(folder: StateFolder) -> tuple[LocalState | None, Finding | None]:
    """Read the state file; one that can't be read is a finding."""
    try:
        return LocalState.read(folder.state_file), None
    except StateError as error:
        return None, failure("state", "unreadable", str(error))


def findings(folder: StateFolder, state: LocalState | None) -> Iterator[Finding]:
    """Look at each."""
    registry = ProcessRegistry(folder.processes_file)
    dead = [process.name for process in registry.all() if registry.running(process.name) is None]
    ours = [process.name for process in registry.all()]
    yield of_processes(ours + (["containers"] if containers.recorded(folder) else []), dead)
    if state is not None:
        yield of_engine(state, health.ask(state.endpoint_url, _PATIENCE_S))


def of_processes(known: list[str], dead: list[str]) -> Finding:
    """Judge what was started and is on record."""
    if dead:
        return warning("processes", f"{', '.join(sorted(dead))} died", f"`make up` starts it again. {_ANEW}")
    return ok("processes", f"{', '.join(sorted(known))} running" if known else "none of ours runs")


def of_engine(state: LocalState, told: health.Health | str) -> Finding:
    """Judge the engine of the cloud that is up, by what its health says."""
    if isinstance(told, str):
        return failure("engine", f"{state.engine} at {state.endpoint_url} doesn't answer: {told}", _ANEW)
    if told.software != state.software:
        return failure("engine", f"{told.software} answers where {state.software} was", _ANEW)
    return ok("engine", f"{state.engine}: {told.software} {told.version} at {state.endpoint_url}")


def engine_gaps(state: LocalState | None) -> tuple[str, tuple[gaps.Gap, ...]]:
    """Name the engine that is up, or that `make up` starts, and what it doesn't do as AWS does."""
    name, software = (state.engine, state.software) if state else ("embedded", "ministack")
    return name, gaps.of(name, software)

"""`tidegate status`: what runs, where, and how the place of its releases stands."""

from collections.abc import Iterator
from dataclasses import replace

import httpx

from tidegate_local.engines import containers, health
from tidegate_local.hot import swap as hot
from tidegate_local.layout import StateFolder
from tidegate_local.project_facts import ProjectFacts
from tidegate_local.redis import server as redis_server
from tidegate_local.registry import ProcessRegistry
from tidegate_local.releases.place import Place, local_place
from tidegate_local.releases.place_status import Part, parts_of
from tidegate_local.state import LocalState

_PATIENCE_S = 5.0


def inspect(folder: StateFolder, state: LocalState) -> tuple[Part, ...]:
    """Look at every part of a cloud that was brought up; asks the API itself, too."""
    registry = ProcessRegistry(folder.processes_file)
    with local_place(state) as place:
        return (
            _redis(folder, registry, state.redis_url),
            _engine(registry, state),
            *parts_of(place),
            *_swapped(folder, state, place),
            _api(state, ProjectFacts.read().readiness),
        )


def _swapped(folder: StateFolder, state: LocalState, place: Place) -> Iterator[Part]:
    """Say that what runs isn't what was deployed, if so."""
    if swapped := hot.in_force(folder, state, place.client("lambda")):
        said = f"swapped into {' and '.join(swapped)}, not deployed"
        yield Part("code", well=False, state=said, where="Next: `tidegate release`, or `make up`")


def _redis(folder: StateFolder, registry: ProcessRegistry, url: str) -> Part:
    run = containers.recorded(folder)
    if run is None or run.redis_url != url:
        return _process(registry, redis_server.NAME, url)
    answers = redis_server.version(url) is not None
    return Part(redis_server.NAME, well=answers, state=f"container{'' if answers else ', no answer'}", where=url)


def _engine(registry: ProcessRegistry, state: LocalState) -> Part:
    if state.engine in {"embedded", "localstack-host"}:
        process = _process(registry, "engine", state.endpoint_url)
        return replace(process, state=f"{state.engine}, {process.state}")
    found = health.ask(state.endpoint_url, _PATIENCE_S)
    answers = isinstance(found, health.Health)
    return Part(
        "engine",
        well=answers,
        state=state.engine if answers else f"{state.engine}, no answer",
        where=state.endpoint_url,
    )


def _process(registry: ProcessRegistry, name: str, url: str) -> Part:
    process = registry.running(name)
    if process:
        return Part(name, well=True, state=f"running, pid {process.identity.pid}", where=url)
    if registry.find(name):
        return Part(name, well=False, state="not running", where=url)
    return Part(name, well=True, state="not ours", where=url)


def _api(state: LocalState, path: str) -> Part:
    try:
        answer = httpx.get(f"{state.api_url}{path}", timeout=10, trust_env=False)
        told = answer.json().get("status", "") if answer.status_code in {200, 503} else ""
    except (httpx.HTTPError, ValueError, AttributeError) as error:
        return Part("api", well=False, state=f"no answer ({type(error).__name__})", where=state.api_url)
    return Part(
        "api", well=answer.status_code == 200, state=f"{answer.status_code} {told}".strip(), where=state.api_url
    )

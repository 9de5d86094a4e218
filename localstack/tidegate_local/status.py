"""`tidegate status`: what runs, where, and which versions the alias serves."""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, replace

import httpx
from botocore.exceptions import BotoCoreError, ClientError

from tidegate_local import cloud
from tidegate_local.alias_shares import shares
from tidegate_local.engines import health
from tidegate_local.layout import StateFolder
from tidegate_local.registry import ProcessRegistry
from tidegate_local.state import LocalState

_PATIENCE_S = 5.0


@dataclass(frozen=True)
class Part:
    """One part of the cloud, as it is now; `well` is False if it should run and doesn't."""

    name: str
    well: bool
    state: str
    where: str


def inspect(folder: StateFolder, state: LocalState) -> tuple[Part, ...]:
    """Look at every part of a cloud that was brought up; asks the API itself, too."""
    registry = ProcessRegistry(folder.processes_file)
    return (
        _process(registry, "redis", state.redis_url),
        _engine(registry, state),
        _alias(state),
        _api(state),
    )


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


def _alias(state: LocalState) -> Part:
    function, alias = state.outputs["FunctionName"], state.outputs["AliasName"]
    name = f"{function}:{alias}"
    try:
        with closing(cloud.client("lambda", state.endpoint_url)) as functions:
            found = functions.get_alias(FunctionName=function, Name=alias)
    except (BotoCoreError, ClientError) as error:
        return Part(name, well=False, state="unknown", where=type(error).__name__)
    return Part(name, well=True, state=_split(found), where=function)


def _split(alias: Mapping[str, object]) -> str:
    """How an alias divides its traffic, such as "version 3 (70 %), version 4 (30 %)"."""
    divided = shares(alias)
    if len(divided) == 1:
        return f"version {alias['FunctionVersion']}"
    return ", ".join(f"version {version} ({share:.0%})" for version, share in divided.items())


def _api(state: LocalState) -> Part:
    try:
        answer = httpx.get(f"{state.api_url}/health/ready", timeout=10, trust_env=False)
        told = answer.json().get("status", "") if answer.status_code in {200, 503} else ""
    except (httpx.HTTPError, ValueError, AttributeError) as error:
        return Part("api", well=False, state=f"no answer ({type(error).__name__})", where=state.api_url)
    return Part(
        "api", well=answer.status_code == 200, state=f"{answer.status_code} {told}".strip(), where=state.api_url
    )

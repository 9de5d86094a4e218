"""`tidegate up`: from nothing, or from whatever runs already, to an API that answers."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from urllib.parse import urlsplit

import httpx

from tidegate_local import interruption, ports, toolchain
from tidegate_local.deployment import fingerprint, seed
from tidegate_local.deployment.deployer import Deployer, Stack
from tidegate_local.deployment.two_deploys import two_deploys
from tidegate_local.engines import choice, containers
from tidegate_local.engines.engine import PORT, PROCESS, Engine, EngineKind
from tidegate_local.errors import DeploymentError, EndpointError, LocalCloudError, StateError
from tidegate_local.hot import swap as hot
from tidegate_local.layout import StateFolder, exclusive
from tidegate_local.lifecycle import left_undone
from tidegate_local.lifecycle.down import clear
from tidegate_local.progress import Steps
from tidegate_local.project_facts import ProjectFacts
from tidegate_local.redis import server as redis_server
from tidegate_local.redis.server import RedisServer
from tidegate_local.registry import ProcessRegistry
from tidegate_local.releases.stage_names import local_stack
from tidegate_local.stacks import api_keys
from tidegate_local.state import LocalState

# Cold starts on a busy machine take seconds, and the first answer waits for one.
_READY_DEADLINE_S = 60.0


def bring_up(
    folder: StateFolder,
    *,
    engine: str | None = None,
    endpoint: str | None = None,
    steps: Steps | None = None,
    way: Mapping[str, str] | None = None,
) -> LocalState:
    """Bring up the cloud of a state folder and return when its API answers; what runs already is reused.

    `engine` is one by its name, `endpoint` a LocalStack-compatible one that runs already; by default it is the engine
    of the cloud that is up, else MiniStack. `way` is how a release shifts its traffic (`strategy`, `step_s`) where that
    isn't the stage's. Whatever this call has started it stops again if it fails or is interrupted.

    Raises:
        LocalCloudError: the message says what to do.
    """
    steps, facts = steps or Steps(quiet=True), ProjectFacts.read()
    registry = ProcessRegistry(folder.processes_file)
    with exclusive(folder.path / "lock", "at work on this cloud"), _nothing_half_started(folder, registry):
        with steps.step("Tools") as step:
            tools = toolchain.ensure()
            step.note = "Node and the CDK CLI"
        former = _former(folder)
        serving, redis = _start(folder, registry, choice.choose(engine, endpoint, former), steps)
        if swapped := hot.put_back(folder, serving.url):
            steps.say(f"What was swapped into {' and '.join(swapped)} is taken back; what is saved is deployed.")
        deployer = Deployer(tools, folder, serving.url, steps.say, facts.outputs)
        stack, sources = _deploy(deployer, _context(serving, redis), former, steps, way)
        with steps.step("Seed") as step:
            step.note = seed.said(seed.sow(serving.url, stack.outputs, facts))
        state = _state(serving, redis, stack, sources)
        state.write(folder.state_file)
        with steps.step("Ready") as step:
            left_undone.look(state, steps.say)
            await_ready(state, facts.readiness)
            step.note = f"GET {state.api_url}{facts.readiness}"
    return state


def _start(
    folder: StateFolder, registry: ProcessRegistry, kind: EngineKind, steps: Steps
) -> tuple[Engine, RedisServer]:
    with steps.step("Engine") as step:
        if preparing := kind.preparing(folder):
            steps.say(preparing)
        if kind.name != "localstack":
            containers.stop(folder)
        serving = kind.ensure(folder, registry)
        step.note = _engine_note(serving)
    with steps.step("Redis") as step:
        if serving.redis:
            registry.stop(redis_server.NAME)
        elif redis_server.must_be_built():
            steps.say("No redis-server on PATH: building one from source, about a minute, once.")
        redis = serving.redis or redis_server.ensure(folder, registry)
        if serving.contained:
            _require_reachable(redis)
        step.note = f"{redis.version} at {_redis_place(serving, redis)}"
    return serving, redis


def _require_reachable(redis: RedisServer) -> None:
    if redis.inner_url is None and urlsplit(redis.url).hostname in {"localhost", ports.LOOPBACK}:
        raise EndpointError(
            f"Functions of an engine in a container can't reach {redis.url}. Set REDIS_URL to one that they and this "
            "machine reach by the same address, or have engine and Redis started together: make up ENGINE=localstack"
        )


def _redis_place(serving: Engine, redis: RedisServer) -> str:
    return redis.url if redis.process or serving.redis else "REDIS_URL"


def _context(serving: Engine, redis: RedisServer) -> dict[str, str]:
    """What the templates depend on: the stage, its Redis as functions reach it, and what LocalStack can't do."""
    context = {"stage": "local", "redis_url": redis.inner_url or redis.url}
    if serving.software == "localstack":
        context["engine"] = "localstack-containers" if serving.contained else "localstack"
    return context


def await_ready(state: LocalState, path: str, within_s: float = _READY_DEADLINE_S) -> None:
    """Wait until the API says at its readiness path that it is ready.

    Raises:
        DeploymentError: it didn't within the time (seconds); the message has its last answer.
    """
    deadline, last = time.monotonic() + within_s, "no answer"
    with httpx.Client(timeout=within_s, trust_env=False) as client:
        while time.monotonic() < deadline:
            try:
                answer = client.get(f"{state.api_url}{path}")
            except httpx.HTTPError as error:
                last = str(error) or type(error).__name__
            else:
                if answer.status_code == 200:
                    return
                last = f"{answer.status_code} {answer.text[:2000]}"
            time.sleep(0.1)
    raise DeploymentError(
        f"{state.api_url}{path} was not 200 within {within_s:.0f} s; its last answer: {last}\n"
        "`make logs` shows what the function logs."
    )


@contextmanager
def _nothing_half_started(folder: StateFolder, registry: ProcessRegistry) -> Iterator[None]:
    """Stop, if the block fails, what wasn't running before it."""
    before = {name for name in (redis_server.NAME, PROCESS) if registry.running(name)}
    had_containers = containers.recorded(folder) is not None
    try:
        yield
    except BaseException:
        interruption.forget()  # the one that led here; the next one cuts this short
        # Each of them, though the disk be too full for another's record; and what went wrong first is what is told.
        for name in {redis_server.NAME, PROCESS} - before:
            with suppress(OSError):
                registry.stop(name)
        if not had_containers:
            with suppress(OSError, LocalCloudError):
                containers.stop(folder)
        with suppress(OSError):
            _forget_if_nothing_runs(folder, registry)
        raise


def _forget_if_nothing_runs(folder: StateFolder, registry: ProcessRegistry) -> None:
    if not registry.running(PROCESS) and containers.recorded(folder) is None:
        clear(folder)


def _deploy(
    deployer: Deployer,
    context: Mapping[str, str],
    former: LocalState | None,
    steps: Steps,
    way: Mapping[str, str] | None = None,
) -> tuple[Stack, str]:
    """Deploy what changed; returns the stack and the fingerprint of its sources."""
    with steps.step("Bootstrap") as step:
        if deployer.bootstrapped():
            step.note = "is there"
        else:
            deployer.bootstrap()
    with steps.step("Deploy") as step:
        left_undone.require_tables(deployer.endpoint_url, deployer.outputs())
        # How it comes to be in force is no part of what is deployed.
        sources = fingerprint.of_deployment(deployer.endpoint_url, context)
        stack = deployer.current() if former and former.deployed == sources else None
        if stack and former and stack.version == former.stack_version:
            step.note = "nothing changed"
        else:
            stack = _released(deployer, {**context, **(way or {})}, steps)
            step.note = local_stack()
    return stack, sources


def _released(deployer: Deployer, context: Mapping[str, str], steps: Steps) -> Stack:
    """Deploy as a release: CloudFormation's own where it has custom resources, else around two deploys."""
    if "engine" not in context:
        return deployer.deploy(context)
    with two_deploys(deployer, steps.say) as release:
        return release.deploy(context)


def _former(folder: StateFolder) -> LocalState | None:
    try:
        return LocalState.read(folder.state_file)
    except StateError:
        return None  # written by another version: deploy anew


def _state(serving: Engine, redis: RedisServer, stack: Stack, sources: str) -> LocalState:
    processes = {"redis": redis.process, "engine": serving.process}
    outputs = stack.outputs
    return LocalState(
        api_url=f"{serving.url}/_aws/execute-api/{outputs['ApiId']}/{outputs['StageName']}",
        endpoint_url=serving.url,
        redis_url=redis.url,
        engine=serving.name,
        software=serving.software,
        api_keys=api_keys.read(serving.url, outputs),
        pids={name: process.identity.pid for name, process in processes.items() if process},
        outputs=outputs,
        started_at=datetime.now(UTC).isoformat(timespec="seconds"),
        deployed=sources,
        stack_version=stack.version,
        versions={"engine": serving.version, "redis": redis.version},
    )


def _engine_note(serving: Engine) -> str:
    note = f"{serving.title} at {serving.url}"
    if serving.name == "external":
        note += ", as given"
    elif not serving.url.endswith(f":{PORT}"):
        note += f" (port {PORT} was taken)"
    return note

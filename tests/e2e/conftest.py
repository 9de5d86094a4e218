"""One local cloud for all end-to-end tests: a real deploy on a real engine, with a Redis that tests may kill."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from localstack_client.session import Session

from examples.shop.flows import PAST_THE_CACHE
from tests.harness import engine_report
from tests.harness.engine_choice import CHOICE, redis_for_functions
from tests.harness.process_tree import below, still_alive
from tests.harness.redis_server import RedisServer
from tidegate_local.engines import gaps
from tidegate_local.layout import StateFolder
from tidegate_local.registry import ProcessRegistry

ROOT = Path(__file__).parents[2]
# The state file of an API that is deployed already: then nothing is started, and what needs more than HTTP is skipped.
DEPLOYED = "TIDEGATE_TEST_DEPLOYED"


class Untouchable:
    """The Redis of a deployed API: whoever wants to break it, or to ask it, is skipped."""

    def heal(self) -> None:
        """Nothing was done to it."""

    def __getattr__(self, name: str) -> Any:
        pytest.skip(f"it needs redis.{name}, and a deployed API's Redis is out of reach")


@dataclass(frozen=True)
class Cloud:
    """The deployed API as its state file describes it."""

    state: dict[str, Any]
    redis: RedisServer | Untouchable
    http: httpx.Client
    environ: dict[str, str]

    @property
    def engine(self) -> str:
        """Its title, with the version."""
        software = {"ministack": "MiniStack", "localstack": "LocalStack", "aws": "AWS"}[self.state["software"]]
        return f"{software} {self.state['versions']['engine']}"

    def aws(self, service: str) -> AbstractContextManager[Any]:
        """A client of one of the engine's services, closed at the end of the block."""
        if isinstance(self.redis, Untouchable):
            pytest.skip("it asks the engine, and a deployed API is all that there is")
        engine = Session(localstack_host=httpx.URL(self.state["endpoint_url"]).netloc.decode())
        return closing(engine.client(service))

    def key(self, tier: str) -> dict[str, str]:
        return {"x-api-key": self.state["api_keys"][tier]}

    def get(self, path: str, tier: str | None = "internal", **headers: str) -> httpx.Response:
        return self.http.get(self.state["api_url"] + path, headers={**(self.key(tier) if tier else {}), **headers})

    def read(self, path: str, **headers: str) -> httpx.Response:
        """Read as a client that comes again when a limit asks it to."""
        deadline = time.monotonic() + 30
        while (answer := self.get(path, **headers)).status_code == 429:
            assert time.monotonic() < deadline, "never admitted"
        return answer

    def order(self, key: str, items: list[dict[str, Any]], tier: str = "internal") -> httpx.Response:
        """Order under an idempotency key."""
        return self.post("/v1/orders", tier, {"idempotency-key": key}, json={"items": items})

    def post(self, path: str, tier: str, headers: dict[str, str], **body: Any) -> httpx.Response:
        """Post as a well-behaved client: after a change of store a limit may ask it to come again."""
        deadline = time.monotonic() + 30
        while True:
            answer = self.http.post(self.state["api_url"] + path, headers={**self.key(tier), **headers}, **body)
            if answer.status_code != 429 or time.monotonic() > deadline:
                return answer

    def at_once(self, count: int, call: Any, threads: int = 8) -> list[httpx.Response]:
        """Make so many calls from so many threads and return all the answers."""
        with ThreadPoolExecutor(threads) as pool:
            return list(pool.map(lambda _: call(), range(count)))

    def warm(self, threads: int = 8) -> None:
        """Let as many environments start as so many clients at once need: a cold start is slower than any rate."""
        self.at_once(2 * threads, lambda: self.get("/health/ready", tier=None), threads)

    def stock(self, product_id: str) -> int:
        """The stock that the table has now."""
        return int(self.read(f"/v1/products/{product_id}", **PAST_THE_CACHE).json()["stock"])


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    if deployed := os.environ.get(DEPLOYED):
        state = json.loads(Path(deployed).read_text(encoding="utf-8"))
        with httpx.Client(timeout=60) as http:
            yield Cloud(state, Untouchable(), http, dict(os.environ))
        return
    folder = tmp_path_factory.mktemp("cloud")
    with redis_for_functions() as redis:
        environ = {**os.environ, "TIDEGATE_STATE_DIR": str(folder), "REDIS_URL": redis.url}
        try:
            _tidegate("up", environ, *CHOICE)
            state = json.loads((folder / "state.json").read_text(encoding="utf-8"))
            with httpx.Client(timeout=60) as http:
                yield Cloud(state, redis, http, environ)
        finally:
            _take_down(folder, environ)


def _take_down(folder: Path, environ: dict[str, str]) -> None:
    """Stop it, and see that nothing outlives it: functions are processes of the engine's, in sessions of their own."""
    registry = ProcessRegistry(StateFolder(folder).processes_file)
    started = {known for process in registry.all() for known in below(process.identity.pid)}
    _tidegate("down", environ)
    left = still_alive(started)
    assert not left, f"outlive their engine: {left}"


@pytest.fixture(autouse=True)
def _a_redis_that_is_up(cloud: Cloud, request: pytest.FixtureRequest) -> None:
    cloud.redis.heal()
    request.node.user_properties.append((engine_report.PROPERTY, cloud.engine))


@pytest.fixture
def product(cloud: Cloud) -> str:
    """One that there are many of; a copy may name products that a scenario has taken away since."""
    items = cloud.read("/v1/products", **PAST_THE_CACHE).json()["items"]
    return str(max(items, key=lambda item: item["stock"])["id"])


@pytest.fixture
def edge_throttles(cloud: Cloud) -> None:
    """For tests of API Gateway's throttles, which not every engine enforces."""
    for gap in gaps.of(cloud.state["engine"], cloud.state["software"]):
        if gap.name == gaps.EDGE_THROTTLES:
            pytest.skip(f"{cloud.engine}: {gap.what}")


def _tidegate(verb: str, environ: dict[str, str], *words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tidegate_local", verb, *words],
        cwd=ROOT,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=900,
        check=False,
    )
    if done.returncode:
        pytest.fail(f"tidegate {verb} failed:\n{done.stdout}", pytrace=False)

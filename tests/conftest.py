"""The session's servers, and an environment that knows no real account and no developer's settings."""

import asyncio
import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import redis

from tests.harness.distribution import Distribution, group
from tests.harness.dynamodb import DynamoServer
from tests.harness.http_faults import HttpFaults
from tests.harness.proxied_stores import ProxiedStores
from tests.harness.redis_cluster import RedisCluster
from tests.harness.redis_server import RedisServer
from tests.harness.tcp_proxy import TcpProxy
from tidegate.telemetry import logger
from tidegate.testing import FakeClock

_KEPT = ("TIDEGATE_TEST_", "TIDEGATE_STATE_DIR")
_NOWHERE = str(Path(os.devnull) / "none")
_AWS = {
    "TIDEGATE_LOG": "json",
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": _NOWHERE,
    "AWS_SHARED_CREDENTIALS_FILE": _NOWHERE,
}

# Every call that a function makes is one that its role allows.
pytest_plugins = ["tests.harness.iam.plugin", "tests.harness.idle_connections", "tests.harness.open_loops"]

hypothesis.settings.register_profile("default", deadline=None, max_examples=50)
hypothesis.settings.register_profile(
    "ci", deadline=None, max_examples=100, derandomize=True, print_blob=True, database=None
)
# For faults that are meant to be found (tests/mutation): the first example that fails will do.
_UNSHRUNK = (hypothesis.Phase.explicit, hypothesis.Phase.generate)
hypothesis.settings.register_profile("first", deadline=None, max_examples=50, database=None, phases=_UNSHRUNK)
hypothesis.settings.register_profile("thorough", deadline=None, max_examples=2000, print_blob=True)


def pytest_configure(config: pytest.Config) -> None:
    hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))
    _clean_environment()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Distribution | None:
    """`--dist loadgroup` means our groups."""
    if config.getvalue("dist") != "loadgroup":
        return None
    config.option.loadscopereorder = False
    return Distribution(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: group(item.nodeid))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    """What a test sets in os.environ ends with it. A hook, not a fixture: hypothesis warns of those."""
    before = dict(os.environ)
    try:
        return (yield)
    finally:
        for name in set(os.environ) - set(before):
            del os.environ[name]
        os.environ.update(before)


def _clean_environment() -> None:
    for name in list(os.environ):
        if name.startswith(("AWS_", "TIDEGATE_")) and not name.startswith(_KEPT):
            del os.environ[name]
    os.environ.update(_AWS)
    # A proxy of the developer's must not stand between the tests and their servers on loopback.
    exempt = os.environ.get("NO_PROXY") or os.environ.get("no_proxy")
    local = ",".join(filter(None, [exempt, "127.0.0.1", "localhost"]))
    os.environ.update({"NO_PROXY": local, "no_proxy": local})


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """`@pytest.mark.anyio` tests run on asyncio, as the functions do."""
    return "asyncio"


@pytest.fixture(scope="session", autouse=True)
def request_log() -> None:
    """Make the Logger now: it keeps the stdout it is made on, and that of a test with `capsys` is closed after it."""
    logger()


@pytest.fixture
def lambda_loop() -> Iterator[asyncio.AbstractEventLoop]:
    """The current event loop, as long as the test: what one environment of a function has for all its events.

    Mangum takes it from asyncio.get_event_loop(), which otherwise warns or makes one that nobody closes.
    """
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield loop
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.run_until_complete(loop.shutdown_default_executor())
    asyncio.set_event_loop(None)
    loop.close()


@pytest.fixture(scope="session")
def _shared_redis() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@pytest.fixture
def redis_server(_shared_redis: RedisServer) -> RedisServer:
    """The worker's Redis, running, healthy and empty; a test may hurt it, the next one finds it healed."""
    _shared_redis.heal()
    return _shared_redis


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """The URL of an empty Redis."""
    return redis_server.url


@pytest.fixture
def redis_db(redis_server: RedisServer) -> Iterator["redis.Redis"]:
    """A plain redis-py client of an empty Redis, answering bytes: to look at what is stored."""
    with redis_server.client() as client:
        yield client


@pytest.fixture
def fresh_redis() -> Iterator[RedisServer]:
    """A Redis of the test's own, to kill and to configure."""
    with RedisServer() as server:
        yield server


@pytest.fixture(scope="session")
def _shared_cluster() -> Iterator[RedisCluster]:
    with RedisCluster() as cluster:
        yield cluster


@pytest.fixture
def sharded_cluster(_shared_cluster: RedisCluster) -> RedisCluster:
    """A cluster of three masters and their replicas, healed and empty (seconds to start; only where it is used)."""
    _shared_cluster.heal()
    return _shared_cluster


@pytest.fixture(scope="session")
def _shared_dynamo() -> Iterator[DynamoServer]:
    with DynamoServer() as server:
        yield server


@pytest.fixture
def dynamo(_shared_dynamo: DynamoServer) -> DynamoServer:
    """The worker's DynamoDB, running; a stopped one goes on, a killed one is started empty."""
    _shared_dynamo.cont()
    if not _shared_dynamo.running:
        _shared_dynamo.start()
    return _shared_dynamo


@pytest.fixture
def dynamo_client(dynamo: DynamoServer) -> Iterator[Any]:
    """A boto3 client of it, without retries."""
    with contextlib.closing(dynamo.client()) as client:
        yield client


@pytest.fixture
def fresh_dynamo() -> Iterator[DynamoServer]:
    """A DynamoDB of the test's own (about a second to start)."""
    with DynamoServer() as server:
        yield server


@pytest.fixture
def library_table(dynamo: DynamoServer) -> Iterator[str]:
    """The name of an empty table in the library's form, the test's own.

    It goes with the test: once a minute the engine looks through all items of such tables for expired ones, and
    answers nobody meanwhile.
    """
    table = dynamo.create_library_table()
    yield table
    dynamo.cont()
    if dynamo.running:
        dynamo.drop_table(table)


@pytest.fixture
def tcp_proxy() -> Iterator[Callable[[int], TcpProxy]]:
    """`tcp_proxy(port)` starts a proxy in front of that loopback port."""
    with contextlib.ExitStack() as proxies:
        yield lambda port: proxies.enter_context(TcpProxy(port))


@pytest.fixture
def http_faults(dynamo: DynamoServer) -> Iterator[HttpFaults]:
    """A server in front of `dynamo` that answers AWS's errors on demand."""
    with HttpFaults(dynamo.port) as faults:
        yield faults


@pytest.fixture
def redis_proxy(redis_server: RedisServer, tcp_proxy: Callable[[int], TcpProxy]) -> TcpProxy:
    """A proxy in front of `redis_server`."""
    return tcp_proxy(redis_server.port)


@pytest.fixture
def stores(
    redis_server: RedisServer, dynamo: DynamoServer, library_table: str, tcp_proxy: Callable[[int], TcpProxy]
) -> ProxiedStores:
    """Redis and DynamoDB, each behind a proxy; what boto is told leads through the proxy, too."""
    made = ProxiedStores(redis_server, tcp_proxy(redis_server.port), dynamo, tcp_proxy(dynamo.port), library_table)
    os.environ["AWS_ENDPOINT_URL"] = f"http://{made.to_dynamo.host}:{made.to_dynamo.port}"
    return made


@pytest.fixture
def clock() -> FakeClock:
    """A clock that moves when it is told to."""
    return FakeClock()


@pytest.fixture
def closing() -> Iterator[contextlib.ExitStack]:
    """What a test opens; closed at its end."""
    with contextlib.ExitStack() as stack:
        yield stack

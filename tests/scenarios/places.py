"""Where an environment's stores are: real servers behind proxies, in the forms that the faults need."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from tests.harness.dynamodb import DynamoServer
from tests.harness.hanging_names import HangingNames
from tests.harness.http_faults import HttpFaults
from tests.harness.ports import free_port
from tests.harness.redis_server import RedisServer
from tests.harness.tcp_proxy import TcpProxy

REDIS, DYNAMODB = "redis.test", "dynamodb.test"


@dataclass(frozen=True)
class Place:
    """Real stores, each behind a proxy that counts and fails.

    Attributes:
        redis: the server that decides while all is well.
        other: the server that takes its port, or its part in a cluster, in some faults.
        to_redis, to_dynamo: the ways there.
        errors: answers for DynamoDB with AWS's own errors, where the way leads through it.
        dynamo, table: the fallback.
        redis_url: as the environment is told.
        cluster_client: whether the environment speaks the cluster protocol.
        names: the names that both stores have in the environment's eyes; None: it is told their addresses.
    """

    redis: RedisServer
    other: RedisServer
    to_redis: TcpProxy
    to_dynamo: TcpProxy
    errors: HttpFaults
    dynamo: DynamoServer
    table: str
    redis_url: str
    cluster_client: bool = False
    names: HangingNames | None = None

    @property
    def dynamo_url(self) -> str:
        """As the environment is told."""
        host = self.to_dynamo.host if self.names is None else DYNAMODB
        return f"http://{host}:{self.to_dynamo.port}"


Kind = Callable[[DynamoServer, ExitStack], Place]


def plain(dynamo: DynamoServer, stack: ExitStack) -> Place:
    """One Redis."""
    redis = stack.enter_context(RedisServer())
    return _place(dynamo, stack, redis, redis)


def with_aws_errors(dynamo: DynamoServer, stack: ExitStack) -> Place:
    """One Redis, and a server before DynamoDB that answers AWS's errors."""
    redis = stack.enter_context(RedisServer())
    return _place(dynamo, stack, redis, redis, through_errors=True)


def named(dynamo: DynamoServer, stack: ExitStack) -> Place:
    """One Redis; it and DynamoDB are known by names."""
    place = plain(dynamo, stack)
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="names-"))
    url = place.redis_url.replace(f"@{place.to_redis.host}:", f"@{REDIS}:").replace(
        f"//{place.to_redis.host}:", f"//{REDIS}:"
    )
    return replace(place, redis_url=url, names=HangingNames(Path(folder)))


def with_password(dynamo: DynamoServer, stack: ExitStack) -> Place:
    """One Redis that asks for a password."""
    redis = stack.enter_context(RedisServer(password="right"))
    return _place(dynamo, stack, redis, redis)


def tls(dynamo: DynamoServer, stack: ExitStack) -> Place:
    """A Redis that speaks TLS; the other one doesn't."""
    redis = stack.enter_context(RedisServer(tls=True))
    other = RedisServer(port=redis.port)
    stack.callback(other.close)
    return _place(dynamo, stack, redis, other)


def tls_after_all(dynamo: DynamoServer, stack: ExitStack) -> Place:
    """A Redis that doesn't speak TLS; the other one does."""
    redis = stack.enter_context(RedisServer())
    other = RedisServer(tls=True, port=redis.port)
    stack.callback(other.close)
    return _place(dynamo, stack, redis, other)


def cluster(dynamo: DynamoServer, stack: ExitStack) -> Place:
    """A cluster of one node that announces itself at the proxy's address, and a cluster's client."""
    port = free_port(with_bus=True)
    proxy = stack.enter_context(TcpProxy(port))
    redis = stack.enter_context(RedisServer(f"cluster-announce-port {proxy.port}", cluster=True, port=port))
    return _place(dynamo, stack, redis, redis, proxy, cluster_client=True)


def _place(
    dynamo: DynamoServer,
    stack: ExitStack,
    redis: RedisServer,
    other: RedisServer,
    to_redis: TcpProxy | None = None,
    *,
    cluster_client: bool = False,
    through_errors: bool = False,
) -> Place:
    to_redis = to_redis or stack.enter_context(TcpProxy(redis.port))
    errors = stack.enter_context(HttpFaults(dynamo.port))
    to_dynamo = stack.enter_context(TcpProxy(errors.port if through_errors else dynamo.port))
    return Place(
        redis=redis,
        other=other,
        to_redis=to_redis,
        to_dynamo=to_dynamo,
        errors=errors,
        dynamo=dynamo,
        table=dynamo.create_library_table(),
        redis_url=to_redis.url(redis.url),
        cluster_client=cluster_client,
    )

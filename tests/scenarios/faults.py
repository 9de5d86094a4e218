"""The classes of faults: what is done to the servers or to the way there, how it ends, and who decides meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from tests.harness import http_faults
from tests.harness.http_faults import AwsError
from tests.harness.redis_server import RedisServer
from tests.harness.tcp_proxy import TcpProxy
from tests.scenarios import places
from tests.scenarios.places import Kind, Place

Act = Callable[[Place], object]


@dataclass(frozen=True)
class Fault:
    """One class.

    Attributes:
        name: as the table says it.
        dependency: whose attempts are counted, and whose return is waited for.
        begin, end: make it and end it; they return when that is in force.
        decided_by: the store that decides meanwhile.
        kind: the place that it needs.
        without_redis: whether Redis is gone all the while, so that DynamoDB decides before and after.
        readable: whether the store still can tell a refusal, which needs no write.
        route: what is asked for.
        statuses: what may be answered meanwhile; before and after, 200 and 429.
    """

    name: str
    dependency: Literal["redis", "dynamodb"]
    begin: Act
    end: Act
    decided_by: str = "dynamodb"
    kind: Kind = places.plain
    without_redis: bool = False
    readable: bool = False
    route: str = "/share"
    statuses: frozenset[int] = frozenset({200, 429})

    @property
    def title(self) -> str:
        """Its name, with the store's that fails alone."""
        return self.name if self.route != "/share" or "both" in self.name else f"{self.dependency} {self.name}"

    @property
    def preferred(self) -> str:
        """The store that decides before and after."""
        return "dynamodb" if self.without_redis else "redis"

    @property
    def needs_tls(self) -> bool:
        return self.kind in (places.tls, places.tls_after_all)


def _on_the_way(name: str, begin: Callable[[TcpProxy], object]) -> Fault:
    return Fault(name, "redis", lambda place: begin(place.to_redis), lambda place: place.to_redis.pass_through())


def _in_the_server(
    name: str, begin: Callable[[RedisServer], object], end: Callable[[RedisServer], object], kind: Kind = places.plain
) -> Fault:
    return Fault(name, "redis", lambda place: begin(place.redis), lambda place: end(place.redis), kind=kind)


def _other_server(name: str, kind: Kind) -> Fault:
    return Fault(
        name,
        "redis",
        lambda place: _swap(place.redis, place.other),
        lambda place: _swap(place.other, place.redis),
        kind=kind,
    )


def _dynamo_on_the_way(name: str, begin: Callable[[TcpProxy], object]) -> Fault:
    return Fault(
        name,
        "dynamodb",
        lambda place: begin(place.to_dynamo),
        lambda place: place.to_dynamo.pass_through(),
        "memory",
        without_redis=True,
    )


def _dynamo_answers(name: str, error: AwsError) -> Fault:
    return Fault(
        name,
        "dynamodb",
        lambda place: place.errors.fail(error),
        lambda place: place.errors.heal(),
        "memory",
        places.with_aws_errors,
        without_redis=True,
    )


def _name_hangs(dependency: Literal["redis", "dynamodb"]) -> Fault:
    """What is connected is lost, and whoever connects anew asks a name server that doesn't answer."""
    name = places.REDIS if dependency == "redis" else places.DYNAMODB

    def begin(place: Place) -> None:
        assert place.names is not None
        place.names.hang(name)
        proxy = place.to_redis if dependency == "redis" else place.to_dynamo
        proxy.refuse()
        proxy.pass_through()

    def end(place: Place) -> None:
        assert place.names is not None
        place.names.go_on(name)

    without_redis = dependency == "dynamodb"
    decided_by = "memory" if without_redis else "dynamodb"
    return Fault("name lookup hangs", dependency, begin, end, decided_by, places.named, without_redis=without_redis)


def _both(route: str, decided_by: str, *statuses: int) -> Fault:
    return Fault(
        f"both gone, on_outage={route[1:]}",
        "redis",
        _lose_both,
        _find_both,
        decided_by,
        route=route,
        statuses=frozenset(statuses),
    )


def _swap(running: RedisServer, other: RedisServer) -> None:
    """Both have the same port."""
    running.kill()
    other.start()


def _lose_both(place: Place) -> None:
    place.redis.stop()
    place.to_dynamo.refuse()


def _find_both(place: Place) -> None:
    place.to_dynamo.pass_through()
    place.redis.cont()


def _change_password(redis: RedisServer) -> None:
    """Those that are let in already stay so: their connections are ended, as a failover or a restart ends them."""
    redis.change_password("changed")
    redis.command("CLIENT", "KILL", "TYPE", "normal")


FAULTS: tuple[Fault, ...] = (
    _on_the_way("refused", lambda proxy: proxy.refuse()),
    _in_the_server("SIGSTOP", RedisServer.stop, RedisServer.cont),
    _on_the_way("accepts, never answers", lambda proxy: proxy.hang()),
    _on_the_way("+200 ms", lambda proxy: proxy.delay(200)),
    _on_the_way("reset in mid-reply", lambda proxy: proxy.reset(after_bytes=2)),
    _on_the_way("half a reply", lambda proxy: proxy.half_reply(2)),
    _in_the_server("SIGKILL, restarted empty", RedisServer.kill, RedisServer.start),
    replace(_in_the_server("READONLY", RedisServer.readonly, RedisServer.writable), readable=True),
    replace(_in_the_server("OOM (noeviction)", RedisServer.fill_memory, RedisServer.free_memory), readable=True),
    _in_the_server("CLUSTERDOWN", RedisServer.lose_slots, RedisServer.take_slots, places.cluster),
    _in_the_server(
        "wrong password", _change_password, lambda redis: redis.change_password("right"), places.with_password
    ),
    _other_server("TLS to a plain port", places.tls),
    _other_server("plain to a TLS port", places.tls_after_all),
    _name_hangs("redis"),
    _dynamo_answers("throttled", http_faults.THROTTLED),
    _dynamo_answers("5xx", http_faults.INTERNAL),
    _dynamo_answers("credentials expired", http_faults.EXPIRED),
    _dynamo_on_the_way("hung", lambda proxy: proxy.hang()),
    _dynamo_on_the_way("refused", lambda proxy: proxy.refuse()),
    _name_hangs("dynamodb"),
    _both("/share", "memory", 200, 429),
    _both("/allow", "none", 200),
    _both("/reject", "none", 503),
)

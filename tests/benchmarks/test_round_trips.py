"""What requests cost in round trips, counted between the application and the real servers."""

import asyncio
import statistics
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.benchmarks import contenders, events, peers, processes
from tests.benchmarks.chart import Panel
from tests.benchmarks.output import log_lines_away
from tests.benchmarks.programs.latency import invoke
from tests.benchmarks.report import Goal, Section, Table
from tests.harness.lambda_events import LambdaContext

HOW = (
    "Warm requests through Mangum, counted by a proxy in front of Redis and another in front of DynamoDB: client "
    "bytes followed by server bytes are one round trip, a pipeline is one. Redis + DynamoDB where both were asked. "
    "The GET is the most frequent of five, for ours reads its configuration in the background now and then. "
    'Tidegate\'s claims are in DynamoDB (the default), and with `claims="redis"` in Redis.'
)
NOT_DRAWN = {
    "Tidegate, 3 limits",
    "Tidegate, 3 limits and a cached answer",
    'Tidegate, claims="redis"',
    "fastapi-limiter",
    "powertools on DynamoDB",
}


@dataclass(frozen=True)
class Contender:
    name: str
    needs: tuple[str, ...]
    make: Callable[[], Any]
    gets: bool = True
    posts: bool = True


@pytest.fixture
def counting(redis_server, dynamo, library_table, tcp_proxy, monkeypatch, lambda_loop):
    """The proxies, and the variables that lead everyone through them."""
    to_redis, to_dynamo = tcp_proxy(redis_server.port), tcp_proxy(dynamo.port)
    url = to_redis.url(redis_server.url)
    for name, value in processes.function(url, f"http://{to_dynamo.host}:{to_dynamo.port}", library_table).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TIDEGATE_DECISION_BUDGET_MS", "3000")  # not about time: a busy machine must not fail over
    return to_redis, to_dynamo, url


def everyone(url: str, table: str, loop: asyncio.AbstractEventLoop) -> list[Contender]:
    in_redis, in_dynamo = (lambda: contenders.cache_layer(url)), (lambda: contenders.dynamodb_layer(table))
    powertools, stack = ("aws-lambda-powertools",), ("slowapi", "aws-lambda-powertools")
    return [
        Contender("Tidegate", (), contenders.tidegate),
        Contender("Tidegate, 3 limits", (), lambda: contenders.tidegate(limits=3)),
        Contender("Tidegate, 3 limits and a cached answer", (), lambda: contenders.tidegate(limits=3, cached=True)),
        Contender('Tidegate, claims="redis"', (), lambda: contenders.tidegate(claims="redis")),
        Contender("slowapi", ("slowapi",), lambda: contenders.slowapi(url), posts=False),
        Contender("slowapi, its headers", ("slowapi",), lambda: contenders.slowapi(url, headers=True), posts=False),
        Contender(
            "slowapi, 3 limits, its headers",
            ("slowapi",),
            lambda: contenders.slowapi(url, limits=3, headers=True),
            posts=False,
        ),
        Contender("fastapi-limiter", ("fastapi-limiter",), lambda: contenders.fastapi_limiter(url, loop), posts=False),
        Contender("slowapi + cashews", ("slowapi", "cashews"), lambda: contenders.slowapi_cashews(url), posts=False),
        Contender("powertools on Redis", powertools, lambda: contenders.powertools(in_redis), gets=False),
        Contender("powertools on DynamoDB", powertools, lambda: contenders.powertools(in_dynamo), gets=False),
        Contender("slowapi + powertools on Redis", stack, lambda: contenders.slowapi_powertools(url, in_redis)),
        Contender(
            "slowapi, its headers + powertools on Redis",
            stack,
            lambda: contenders.slowapi_powertools(url, in_redis, headers=True),
        ),
    ]


def test_round_trips(counting, library_table, lambda_loop, report):
    to_redis, to_dynamo, url = counting

    def counted(handler: Any, event: dict[str, Any]) -> tuple[int, int]:
        to_redis.reset_counts()
        to_dynamo.reset_counts()
        context = LambdaContext()
        status = handler(event, context)["statusCode"]
        assert status in {200, 201}
        return to_redis.round_trips, to_dynamo.round_trips

    rows, bars, ours = [], [], ("", "", "")
    for contender in everyone(url, library_table, lambda_loop):
        if why := peers.missing(*contender.needs):
            rows.append((contender.name, why, "", ""))
            continue
        with log_lines_away():
            handler = contender.make()
            get, first, replay = _counts(contender, handler, counted)
            contenders.close(handler)
        rows.append((contender.name, *map(_shown, (get, first, replay))))
        if contender.name == "Tidegate":
            ours = rows[-1][1:]
        if contender.name not in NOT_DRAWN:
            bars += [(f"{contender.name}: {kind}", sum(n)) for kind, n in (("GET", get), ("replay", replay)) if n]
    section = Section("round-trips", "Round trips of a request", HOW)
    columns = ("contender", "warm GET", "POST, first of its key", "POST, replay")
    section.tables.append(Table("Round trips to Redis, + to DynamoDB", columns, rows))
    section.goals += [
        Goal("round trips to Redis, warm GET", ours[0], "1", ours[0] == "1"),
        Goal("round trips, first POST", ours[1], "1 to admit + 1 to settle in Redis", ours[1].startswith("2")),
        Goal("round trips to Redis, replay", ours[2], "1", ours[2] == "1"),
    ]
    section.panel = Panel("round trips of a warm GET and of a replayed POST", bars, goal=1)
    report.add(section)
    assert rows


def _counts(contender: Contender, handler: Any, counted: Callable[..., tuple[int, int]]) -> Any:
    """Round trips of a GET, a first POST and its replay, each after one of its kind."""
    caller, get, first, replay = contender.name, None, None, None
    if contender.gets:
        for _ in range(2):
            invoke(handler, (events.get(caller), LambdaContext()))
        _wait_for_the_background()
        get = statistics.mode(counted(handler, events.get(caller)) for _ in range(5))
    if contender.posts:
        counted(handler, events.post("warm-up", caller))
        _wait_for_the_background()
        first = counted(handler, events.post("k", caller))
        replay = counted(handler, events.post("k", caller))
    return get, first, replay


def _wait_for_the_background() -> None:
    """What ours gets ready after its first answer, and reads now and then, is no part of a warm request."""
    for thread in threading.enumerate():
        if thread.name in {"tidegate-warm", "tidegate-overrides"}:
            thread.join()


def _shown(counts: tuple[int, int] | None) -> str:
    if counts is None:
        return "-"
    return f"{counts[0]} + {counts[1]}" if counts[1] else str(counts[0])

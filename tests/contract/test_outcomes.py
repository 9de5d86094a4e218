"""Outcomes are counted once each, by many environments at once, in every store; and read as they were counted."""

import contextlib

import pytest

from functions.rollout.counts import CountsUnavailableError, StoredCounts
from functions.rollout.counts_in_dynamodb import TableMinutes
from functions.rollout.counts_in_redis import RedisMinutes, Target
from functions.rollout.judge import RouteCounts, Spread, VersionCounts
from tests.contract.places import Place
from tests.harness.processes import Worker, run_at_once
from tidegate.clock import SystemClock
from tidegate.outcomes import in_dynamodb, in_redis
from tidegate.outcomes.histogram import Histogram
from tidegate.outcomes.tally import Batch, Source, Tally

RUNS_ON = ["redis", "valkey", "redis-cluster", "redis-sharded", "dynamodb"]
TWO_MINUTES_S = 120


def send(place: Place, tally: Tally, batch: Batch) -> None:
    """Hand a batch over, as an environment would."""
    if place.in_redis:
        with contextlib.closing(place.open()) as store:
            store.evaluate([in_redis.count_call(tally.source, tally.environment, batch)])
        return
    with contextlib.closing(place.dynamo_client()) as client:
        in_dynamodb.count(client, place.table, tally.source, tally.environment, batch)


def read(place: Place, source: Source) -> VersionCounts | None:
    """What the release's controller reads."""
    start_s = SystemClock().wall_us() // 1_000_000 - TWO_MINUTES_S
    kept = in_place(place)
    redis, dynamodb = (kept, None) if place.in_redis else (None, kept)
    with contextlib.closing(StoredCounts("default", redis, dynamodb)) as reader:
        return reader.since(source.function, [source.version], start_s).get(source.version)


def in_place(place: Place) -> RedisMinutes | TableMinutes:
    if not place.in_redis:
        return TableMinutes(place.table, place.address, "us-east-1")
    return RedisMinutes(Target(place.own_url, cluster="-" in place.kind))


def test_what_is_counted_is_read(place, tally):
    tally.ended(200, 0.5)
    for status in (200, 404, 500, None):
        tally.ended(status, 0.01)
    tally.timed_out()
    send(place, tally, tally.due())
    counts = read(place, tally.source)
    assert (counts.cold.requests, counts.warm.requests) == (1, 5)
    assert (counts.warm.server_errors, counts.warm.timeouts, counts.warm.failed) == (1, 1, 2)
    assert counts.warm.latency.quantile_us(1) == pytest.approx(10_000, rel=1 / 32)
    assert counts.cold.latency.quantile_us(1) == pytest.approx(500_000, rel=1 / 32)


def test_the_controller_reads_each_bin_as_the_library_counted_it(place, tally):
    for latency_us in (0, 31, 32, 999, 12_345, 7_000_000, 2**41):
        tally.ended(200, latency_us / 1_000_000)
    batch = tally.due()
    send(place, tally, batch)
    counts = read(place, tally.source)
    latency = counts.cold.latency.merged(counts.warm.latency)
    assert latency.counts == Histogram.of([0, 31, 32, 999, 12_345, 7_000_000, 2**41]).counts


def test_routes_squares_refusals_and_replays_are_read_too(place, tally):
    tally.ended(200, 0.01)
    for status in (200, 500, 200):
        tally.ended(status, 0.01, "GET /v1/orders/{id}")
    tally.ended(503, 0.01, "GET /v1/orders/{id}", refused=True)
    tally.ended(200, 0.01, "GET /v1/products", again=True)
    tally.may_be_replayed("/v1/products?page=2")
    send(place, tally, tally.due())
    counts = read(place, tally.source)
    assert counts.warm.routes == {"GET /v1/orders/{id}": RouteCounts(3, 1)}
    assert counts.warm.spread == Spread(9, 1)
    assert (counts.warm.refused, counts.replayed.requests) == (1, 1)
    assert counts.warm.targets == {"/v1/products?page=2"}


def test_a_store_that_is_not_there_has_no_counts(place, tally):
    away = (
        RedisMinutes(Target("redis://127.0.0.1:1", cluster="-" in place.kind))
        if place.in_redis
        else TableMinutes(place.table, "http://127.0.0.1:1", "us-east-1")
    )
    with contextlib.closing(away), pytest.raises(CountsUnavailableError):
        away.read(tally.source, [1])


def test_a_batch_that_is_sent_twice_counts_once(place, tally):
    tally.ended(200, 0.01)
    first = tally.first("redis")
    tally.ended(200, 0.01)
    for batch in (first, first, first._replace(number=2), first):
        send(place, tally, batch)
    assert read(place, tally.source).cold.requests == 2


def test_versions_and_functions_are_counted_apart(place, tally):
    tally.ended(200, 0.01)
    send(place, tally, tally.due())
    assert read(place, tally.source._replace(version="8")) is None
    assert read(place, tally.source._replace(function="other")) is None
    assert read(place, tally.source._replace(namespace="other")).cold.requests == 1, "the reader has its own namespace"


@pytest.mark.slow
def test_no_count_is_lost_between_environments(place, tally):
    run_at_once(count_five, place, tally.source, processes=2, threads=4)
    counts = read(place, tally.source)
    assert (counts.cold.requests, counts.warm.requests, counts.warm.server_errors) == (8, 32, 8)
    assert counts.warm.latency.total == 24


def count_five(_: Worker, place: Place, source: Source) -> None:
    """Be an environment with five requests, the second of which fails, and a batch for each."""
    tally = Tally(source, SystemClock())
    for status in (200, 500, 200, 200, 200):
        tally.ended(status, 0.01)
        batch = tally.first("redis")
        send(place, tally, batch)
        tally.heard(batch)

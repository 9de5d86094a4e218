"""A cluster's faults, through the cluster's client."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contract.places import Place, close
from tests.contract.store_errors import answered
from tests.contract.test_redis_faults import CALLS, QUESTION, TIMEOUT_S, fails
from tests.harness.redis_server import RedisServer
from tidegate.stores.base import Store

pytestmark = pytest.mark.slow

FAULTS = {
    "killed": (RedisServer.kill, RedisServer.start, {"refused", "reset", "cluster-down"}),
    "stopped": (RedisServer.stop, RedisServer.cont, {"timeout"}),
    "out of memory": (RedisServer.fill_memory, RedisServer.free_memory, {"out-of-memory"}),
    "without slots": (RedisServer.lose_slots, RedisServer.take_slots, {"cluster-down"}),
}


@pytest.fixture(params=["redis-cluster", "redis-py-cluster"])
def store(request: pytest.FixtureRequest, redis_cluster: RedisServer) -> Iterator[Store]:
    store = Place(request.param, redis_cluster.url, timeout_s=TIMEOUT_S).open()
    yield store
    close(store)


@pytest.mark.parametrize("connected", [True, False], ids=["connected", "not connected"])
@pytest.mark.parametrize(("begin", "end", "kinds"), FAULTS.values(), ids=FAULTS)
def test_a_fault_raises_one_error_in_time_and_leaves_nothing_behind(redis_cluster, store, begin, end, kinds, connected):
    if connected:
        answered(lambda: store.admit(QUESTION))
    begin(redis_cluster)
    found = {name: fails(lambda call=call: call(store)) for name, call in CALLS.items()}
    assert set(found.values()) <= kinds
    end(redis_cluster)
    for call in CALLS.values():
        answered(lambda call=call: call(store))
    assert answered(lambda: store.admit(QUESTION)).admitted


def test_a_single_node_client_at_a_cluster_is_an_error_not_a_wrong_answer(redis_cluster):
    store = Place("redis", redis_cluster.url, timeout_s=TIMEOUT_S).open()
    assert fails(lambda: store.admit(QUESTION)) == "protocol"  # keys of several slots in one script
    redis_cluster.lose_slots()
    assert fails(lambda: store.admit(QUESTION)) in {"cluster-down", "protocol"}
    redis_cluster.take_slots()
    store.close()


def test_a_clusters_client_at_a_single_node_is_an_error(redis_server):
    store = Place("redis-cluster", redis_server.url, timeout_s=TIMEOUT_S).open()
    fails(lambda: store.admit(QUESTION))
    store.close()


def test_a_restart_empty_goes_unnoticed_until_the_next_heartbeat(redis_cluster, store):
    for _ in range(2):
        assert answered(lambda: store.admit(QUESTION)).limits[0].remaining == 999
        redis_cluster.restart_empty()

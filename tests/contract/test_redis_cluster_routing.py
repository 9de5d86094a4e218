"""A real cluster's redirections are followed, and its nodes are asked all at once."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha1

import pytest

from tests.contract.store_errors import answered
from tests.harness.redis_cluster import ClusterNode, RedisCluster
from tidegate import StoreUnavailableError
from tidegate.redis_driver.cluster import ClusterTransport
from tidegate.redis_driver.faults import NoScriptError
from tidegate.redis_driver.hash_slots import slot_of_key
from tidegate.redis_driver.node import RedisTarget

AMPLE_S = 20.0
SCRIPT = "return redis.call('INCR', KEYS[1])"
SHA = sha1(SCRIPT.encode(), usedforsecurity=False).hexdigest()


@pytest.fixture
def cluster(sharded_cluster: RedisCluster) -> RedisCluster:
    for node in sharded_cluster.nodes:
        node.command("SCRIPT", "LOAD", SCRIPT)
        node.command("CONFIG", "RESETSTAT")
    return sharded_cluster


@pytest.fixture
def transport(cluster: RedisCluster) -> Iterator[ClusterTransport]:
    transport = ClusterTransport(RedisTarget(cluster.url, AMPLE_S, AMPLE_S, cluster=True))
    yield transport
    transport.close()


def key_of(cluster: RedisCluster, node: ClusterNode, number: int = 0) -> str:
    """A key that belongs to the node."""
    mine = (key for key in (f"key-{i}" for i in range(1000)) if cluster.master_of(slot_of_key(key.encode())) is node)
    return [next(mine) for _ in range(number + 1)][-1]


def incr(key: str) -> tuple[str | int, ...]:
    return ("EVALSHA", SHA, 1, key)


def calls(node: ClusterNode, command: str) -> int:
    """How often a node was asked that."""
    return sum(
        entry["calls"] for name, entry in node.info("commandstats").items() if name.startswith(f"cmdstat_{command}")
    )


def redirected(cluster: RedisCluster) -> Counter[str]:
    """How often any node said MOVED, or ASK."""
    said: Counter[str] = Counter()
    for node in cluster.running:
        errors = node.info("errorstats")
        said.update({word: errors.get(f"errorstat_{word}", {}).get("count", 0) for word in ("MOVED", "ASK")})
    return said


def other(cluster: RedisCluster, node: ClusterNode) -> ClusterNode:
    return next(master for master in cluster.masters if master is not node)


def test_every_command_goes_to_its_node_and_replies_keep_their_order(cluster, transport):
    keys = [key_of(cluster, node, number) for number in range(2) for node in cluster.masters]
    transport.send([("PING",)])
    assert transport.send([*map(incr, keys), *map(incr, keys), ("PING",)]) == [1] * 6 + [2] * 6 + [b"PONG"]
    assert [calls(node, "evalsha") for node in cluster.masters] == [4, 4, 4]
    assert not redirected(cluster).total()


@pytest.mark.parametrize("stopped", range(3))
def test_nodes_decide_while_another_one_is_still_silent(cluster, transport, stopped):
    """One round trip of wall time: no node's command waits for another node's reply, in whichever order."""
    masters = cluster.masters
    keys = [key_of(cluster, node) for node in masters]
    assert transport.send([incr(key) for key in keys]) == [1, 1, 1]
    silent = masters[stopped]
    with ThreadPoolExecutor(1) as caller:
        silent.stop()
        try:
            replies = caller.submit(transport.send, [incr(key) for key in keys])
            for node, key in zip(masters, keys, strict=True):
                while node is not silent and node.command("GET", key) != b"2":
                    assert not replies.done()
                    time.sleep(0.001)
            assert not replies.done()
        finally:
            silent.cont()
        assert replies.result() == [2, 2, 2]


def test_a_batch_for_a_node_is_one_connection_which_is_kept(cluster, transport):
    keys = [key_of(cluster, node, number) for number in range(3) for node in cluster.masters]
    for _ in range(3):
        transport.send([incr(key) for key in keys])
    for node in cluster.masters:
        assert node.command("CLIENT", "LIST").decode().count("cmd=evalsha") == 1


def test_replicas_are_not_asked_for_decisions(cluster, transport):
    keys = [key_of(cluster, node) for node in cluster.masters]
    transport.send([incr(key) for key in keys])
    assert not redirected(cluster).total()
    replicas = [node for node in cluster.running if not node.is_master]
    assert len(replicas) == 3
    for node in replicas:
        assert "cmd=evalsha" not in node.command("CLIENT", "LIST").decode()


def test_a_moved_slot_is_learnt_once_and_only_its_commands_are_resent(cluster, transport):
    source = cluster.masters[0]
    moved, stays = key_of(cluster, source, 0), key_of(cluster, other(cluster, source))
    slot, target = slot_of_key(moved.encode()), other(cluster, source)
    assert transport.send([incr(moved), incr(stays)]) == [1, 1]
    cluster.move_slot(slot, target)
    try:
        learnt = sum(calls(node, "cluster|slots") for node in cluster.running)
        assert transport.send([incr(moved), incr(stays)]) == [2, 2]
        assert redirected(cluster)["MOVED"] == 1
        for _ in range(3):
            transport.send([incr(moved)])
        assert redirected(cluster)["MOVED"] == 1
        assert sum(calls(node, "cluster|slots") for node in cluster.running) <= learnt + 1
        assert target.command("GET", moved) == b"5"
    finally:
        cluster.move_slot(slot, source)


def test_a_slot_on_its_way_is_asked_for_where_its_keys_are(cluster, transport):
    source = cluster.masters[0]
    target = other(cluster, source)
    here, stays = key_of(cluster, source), key_of(cluster, target)
    tag = "{" + here + "}"
    assert transport.send([incr(here)]) == [1]
    with cluster.migrating(slot_of_key(here.encode()), target):
        # What is still here is answered here; what is new is created there; the rest is untouched by it.
        assert transport.send([incr(here), incr(f"{tag}-new"), incr(stays), incr(f"{tag}-new")]) == [2, 1, 1, 2]
        assert redirected(cluster)["ASK"] == 2
        assert redirected(cluster)["MOVED"] == 0
    cluster.move_slot(slot_of_key(here.encode()), target)
    try:
        assert transport.send([incr(here), incr(f"{tag}-new")]) == [3, 3]
    finally:
        cluster.move_slot(slot_of_key(here.encode()), source)


def test_a_node_that_doesnt_know_a_script_says_so_where_it_is_asked(cluster, transport):
    source = cluster.masters[0]
    target = other(cluster, source)
    key = "{" + key_of(cluster, source) + "}-new"
    target.command("SCRIPT", "FLUSH")
    with cluster.migrating(slot_of_key(key.encode()), target):
        [unknown] = transport.send([incr(key)])
        assert isinstance(unknown, NoScriptError)
        assert transport.send([("EVAL", SCRIPT, 1, key)]) == [1]


def test_keys_split_between_two_nodes_end_as_an_error_within_the_time(cluster, transport):
    source = cluster.masters[0]
    target = other(cluster, source)
    here = key_of(cluster, source)
    script = "return redis.call('EXISTS', KEYS[1], KEYS[2])"
    transport.send([("SET", here, 1)])
    both = ("EVAL", script, 2, here, "{" + here + "}-new")
    with cluster.migrating(slot_of_key(here.encode()), target):
        [split] = transport.send([both])
        assert split.code in {"TRYAGAIN", "ASK"}  # the latter from Redis 6.2
    assert transport.send([incr(here)]) == [2]
    cluster.move_slot(slot_of_key(here.encode()), target)
    assert transport.send([both]) == [1]
    cluster.move_slot(slot_of_key(here.encode()), source)
    transport.close()


def test_any_node_that_is_left_tells_of_the_others(cluster):
    """The node that was configured is dead before the first question, and another dies after it."""
    first, second, _ = cluster.masters
    transport = ClusterTransport(RedisTarget(first.url, AMPLE_S, AMPLE_S, cluster=True))
    key = key_of(cluster, second)
    assert transport.send([incr(key)]) == [1]
    transport.close()
    first.kill()
    cluster.wait_for_failover(first)
    assert transport.send([incr(key)]) == [2]
    transport.close()


def test_a_dead_master_is_an_error_at_once_and_its_replica_takes_over(cluster, transport):
    keys = [key_of(cluster, node) for node in cluster.masters]
    transport.send([incr(key) for key in keys])
    slot = slot_of_key(keys[0].encode())
    dead = cluster.kill_master(slot)
    with pytest.raises(StoreUnavailableError) as raised:
        transport.send([incr(key) for key in keys])
    assert raised.value.kind in {"refused", "reset", "cluster-down"}
    cluster.wait_for_failover(dead)
    assert transport.send([incr(key) for key in keys])[0] == 2


def test_a_silent_node_costs_its_timeout_and_the_others_are_asked_next(cluster):
    first, second, _ = cluster.masters
    silent, key = key_of(cluster, first), key_of(cluster, second)
    transport = ClusterTransport(RedisTarget(first.url, 0.3, 0.3, cluster=True))
    answered(lambda: transport.send([incr(key), incr(silent)]))
    first.stop()
    try:
        with pytest.raises(StoreUnavailableError) as raised:
            transport.send([incr(silent)])
        assert raised.value.kind == "timeout"
        assert answered(lambda: transport.send([incr(key)]))[0] >= 2
    finally:
        first.cont()
        transport.close()

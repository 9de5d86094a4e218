"""The cluster that the tests hurt is a real one."""

import pytest
import redis

from tests.harness.redis_cluster import SLOTS, RedisCluster


def test_its_masters_share_the_slots_and_each_has_a_replica_in_step(sharded_cluster: RedisCluster):
    shards = sharded_cluster.nodes[0].command("CLUSTER", "SLOTS")
    assert sum(last - first + 1 for first, last, *_ in shards) == SLOTS
    assert len({shard[2][1] for shard in shards}) == 3
    assert all(len(shard) == 4 for shard in shards)


def test_a_killed_masters_replica_serves_its_slots_until_it_is_healed(sharded_cluster: RedisCluster):
    before, heir = sharded_cluster.master_of(42), sharded_cluster.replica_of(42)
    dead = sharded_cluster.kill_master(42)
    assert dead is before
    sharded_cluster.wait_for_failover(dead)
    assert sharded_cluster.master_of(42) is heir
    sharded_cluster.heal()
    assert not dead.is_master
    assert sharded_cluster.replica_of(42) is dead


def test_a_moved_slot_has_its_keys_elsewhere(sharded_cluster: RedisCluster):
    source = sharded_cluster.master_of(12182)
    target = next(node for node in sharded_cluster.masters if node is not source)
    with source.client() as client:
        client.set("foo", "kept")  # its slot is 12182, says the cluster specification
    sharded_cluster.move_slot(12182, target)
    try:
        assert sharded_cluster.master_of(12182) is target
        with target.client() as client:
            assert client.get("foo") == b"kept"
        with source.client() as client, pytest.raises(redis.exceptions.MovedError):
            client.get("foo")
    finally:
        sharded_cluster.move_slot(12182, source)

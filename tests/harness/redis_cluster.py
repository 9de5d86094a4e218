"""A real Redis Cluster: three masters, each with a replica, whose failovers and migrations are the servers' own."""

import contextlib
import shutil
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, Self

import redis

from tests.harness.redis_server import RedisServer

SLOTS = 16_384
_MASTERS = 3
_READY_WITHIN_S = 60.0
_CONFIG = (
    # How long a dead master is waited for, and nearly how long its slots are without one.
    "cluster-node-timeout 1000",
    "cluster-replica-validity-factor 0",
    "repl-diskless-sync yes",
    "repl-diskless-sync-delay 0",
    "repl-ping-replica-period 1",
)


class ClusterNode(RedisServer):
    """One node; started again, it still knows its cluster."""

    def __init__(self) -> None:
        super().__init__(*_CONFIG, cluster=True)

    def start(self) -> None:
        """Starts it and returns when PING answers; whom it belongs to is in its nodes.conf."""
        (self.folder / "redis.conf").write_text("\n".join(self._lines()) + "\n")
        self._process.launch()
        self._process.wait_until(self._answers, deadline_s=15)

    @property
    def id(self) -> str:
        return str(self.command("CLUSTER", "MYID").decode())

    @property
    def is_master(self) -> bool:
        return self.info("replication")["role"] == "master"

    def info_of_cluster(self) -> str:
        return str(self.command("CLUSTER", "INFO"))


class RedisCluster:
    """Six nodes on loopback; a context manager that starts them, joins them, and always ends them."""

    def __init__(self) -> None:
        self.nodes = [ClusterNode() for _ in range(2 * _MASTERS)]

    def __enter__(self) -> Self:
        try:
            for node in self.nodes:
                node.start()
            self._join()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def url(self) -> str:
        """The URL of a node that runs."""
        return self.running[0].url

    @property
    def running(self) -> list[ClusterNode]:
        return [node for node in self.nodes if node.running]

    @property
    def masters(self) -> list[ClusterNode]:
        return [node for node in self.running if node.is_master]

    def master_of(self, slot: int) -> ClusterNode:
        """The node that the others call the slot's master; it may be dead."""
        for first, last, master, *_ in self.running[0].command("CLUSTER", "SLOTS"):
            if first <= slot <= last:
                return self._at(int(master[1]))
        raise LookupError(f"Nobody serves slot {slot}.")

    def replica_of(self, slot: int) -> ClusterNode:
        """A replica of the slot's master."""
        for first, last, _, *replicas in self.running[0].command("CLUSTER", "SLOTS"):
            if first <= slot <= last and replicas:
                return self._at(int(replicas[0][1]))
        raise LookupError(f"Nobody replicates slot {slot}.")

    def kill_master(self, slot: int) -> ClusterNode:
        """SIGKILLs the slot's master and returns it; its replica is promoted by the other masters' vote."""
        master = self.master_of(slot)
        master.kill()
        return master

    def restart(self, node: ClusterNode) -> None:
        """Starts a killed node, which comes back as whatever the cluster has made of it."""
        node.start()

    def wait_for_failover(self, dead: ClusterNode) -> None:
        """Returns when every running node says that all slots are served, and none of them by the dead one."""
        self._wait_until(lambda: all(_serves_without(node, dead.port) for node in self.running), "a failover")

    def move_slot(self, slot: int, target: ClusterNode) -> None:
        """Moves a slot with its keys, and tells every master."""
        with self.migrating(slot, target):
            pass
        for node in (target, *self.masters):
            node.command("CLUSTER", "SETSLOT", slot, "NODE", target.id)

    @contextlib.contextmanager
    def migrating(self, slot: int, target: ClusterNode) -> Iterator[None]:
        """The slot is on its way, with no key moved yet; at the end every key is moved, but not the slot."""
        source = self.master_of(slot)
        target.command("CLUSTER", "SETSLOT", slot, "IMPORTING", source.id)
        source.command("CLUSTER", "SETSLOT", slot, "MIGRATING", target.id)
        yield
        while keys := source.command("CLUSTER", "GETKEYSINSLOT", slot, 100):
            source.command("MIGRATE", target.host, target.port, "", 0, 5000, "KEYS", *keys)

    def heal(self) -> None:
        """Every node runs, every master has a replica in step with it, no slot is on its way, and all is empty."""
        for node in self.nodes:
            node.cont()
            if not node.running:
                node.start()
        self._wait_until(self._in_step, "the cluster")
        for master in self.masters:
            for slot in _on_their_way(master):
                master.command("CLUSTER", "SETSLOT", slot, "STABLE")
            master.flush()

    def close(self) -> None:
        for node in self.nodes:
            node.close()
            shutil.rmtree(node.folder, ignore_errors=True)

    def _join(self) -> None:
        masters, replicas = self.nodes[:_MASTERS], self.nodes[_MASTERS:]
        for epoch, node in enumerate(self.nodes, start=1):
            node.command("CLUSTER", "SET-CONFIG-EPOCH", epoch)
        for number, master in enumerate(masters):
            share = range(SLOTS * number // _MASTERS, SLOTS * (number + 1) // _MASTERS)
            # ADDSLOTSRANGE would be one short command, but 6.2 doesn't know it.
            master.command("CLUSTER", "ADDSLOTS", *share)
        for node in self.nodes[1:]:
            self.nodes[0].command("CLUSTER", "MEET", node.host, node.port)
        self._wait_until(lambda: all(_knows_all(node) for node in self.nodes), "the nodes' meeting")
        for master, replica in zip(masters, replicas, strict=True):
            replica.command("CLUSTER", "REPLICATE", master.id)
        self._wait_until(self._in_step, "the cluster")

    def _in_step(self) -> bool:
        links = [node.info("replication") for node in self.nodes]
        online = [
            link for link in links if link["role"] == "master" and link.get("slave0", {}).get("state") == "online"
        ]
        linked = [link for link in links if link["role"] == "slave" and link["master_link_status"] == "up"]
        return (
            len(online) == _MASTERS
            and len(linked) == _MASTERS
            and all("cluster_state:ok" in node.info_of_cluster() for node in self.nodes)
            and all(_sees_replicas(node) for node in self.nodes)
        )

    def _at(self, port: int) -> ClusterNode:
        return next(node for node in self.nodes if node.port == port)

    def _wait_until(self, holds: Callable[[], bool], what: str) -> None:
        ends = time.monotonic() + _READY_WITHIN_S
        while not _holds(holds):
            if time.monotonic() > ends:
                logs = "\n".join(f"{node.port}:\n{node.log_tail(8)}" for node in self.nodes)
                raise RuntimeError(f"{what} wasn't there in {_READY_WITHIN_S} s:\n{logs}")
            time.sleep(0.02)


def _holds(condition: Callable[[], bool]) -> bool:
    try:
        return condition()
    except redis.RedisError:
        return False


def _knows_all(node: ClusterNode) -> bool:
    known = node.command("CLUSTER", "NODES").decode()
    return f"cluster_known_nodes:{2 * _MASTERS}" in node.info_of_cluster() and "handshake" not in known


def _shards(node: ClusterNode) -> list[Any]:
    return list(node.command("CLUSTER", "SLOTS"))


def _sees_replicas(node: ClusterNode) -> bool:
    return all(len(shard) > 3 for shard in _shards(node))


def _serves_without(node: ClusterNode, port: int) -> bool:
    return "cluster_state:ok" in node.info_of_cluster() and all(shard[2][1] != port for shard in _shards(node))


def _on_their_way(node: ClusterNode) -> list[int]:
    """Slots that CLUSTER NODES marks `[slot->-node]` or `[slot-<-node]` in a node's own line."""
    own = next(line for line in node.command("CLUSTER", "NODES").decode().splitlines() if "myself" in line)
    return [int(word[1:].partition("-")[0]) for word in own.split() if word.startswith("[")]

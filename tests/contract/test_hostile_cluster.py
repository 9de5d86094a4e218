"""A cluster whose nodes answer too much, send elsewhere or tell an odd map: a fault, and never a wrong answer."""

from __future__ import annotations

import pytest

from tests.contract.hostile import AMPLE_S, LIMITED, opened_on
from tests.contract.store_errors import kind_of
from tests.harness.hostile_redis import HostileRedis, bulk, echo
from tidegate.redis_driver.hash_slots import slot_of_key
from tidegate.redis_driver.node import RedisTarget


def slots(*entries: tuple[int, int, HostileRedis]) -> bytes:
    told = b"*%d\r\n" % len(entries)
    for first, last, server in entries:
        told += b"*3\r\n:%d\r\n:%d\r\n*2\r\n%s:%d\r\n" % (first, last, bulk(server.host.encode()), server.port)
    return told


def key_in(first: int, last: int) -> str:
    return next(f"k{i}" for i in range(1000) if first <= slot_of_key(f"k{i}".encode()) <= last)


class TestACluster:
    """Two nodes that own half the slots each."""

    LOW, HIGH = key_in(0, 8191), key_in(8192, 16383)

    @pytest.fixture
    def nodes(self, hostile) -> list[HostileRedis]:
        made: list[HostileRedis] = []

        def answers(command: list[bytes]) -> bytes:
            return slots((0, 8191, made[0]), (8192, 16383, made[1])) if command[0] == b"CLUSTER" else echo(command)

        made += [hostile(answers), hostile(answers)]
        return made

    @pytest.fixture
    def cluster(self, nodes, closing):
        from tidegate.redis_driver.cluster import ClusterTransport  # noqa: PLC0415  as the library does

        made = ClusterTransport(RedisTarget(nodes[0].url, AMPLE_S, AMPLE_S, cluster=True))
        closing.callback(made.close)
        return made

    def test_a_frame_too_many_of_one_node_spoils_what_both_say(self, nodes, cluster):
        well = nodes[1].answers
        nodes[1].answers = lambda command: well(command) + bulk(b"extra")
        asked = [("GET", self.LOW), ("GET", self.HIGH)]
        assert kind_of(lambda: cluster.send(asked)) == "protocol"
        nodes[1].answers = well
        for _ in range(3):
            assert cluster.send(asked) == [self.LOW.encode(), self.HIGH.encode()]

    def test_the_other_nodes_reply_that_nobody_read_is_nobodys(self, nodes, cluster):
        """The first node fails, and the second one's reply still lies on its connection."""
        asked = [("GET", self.LOW), ("GET", self.HIGH)]
        cluster.send(asked)
        well = nodes[0].answers
        nodes[0].answers = lambda command: b"$x\r\n" if command[0] == b"GET" else well(command)
        assert kind_of(lambda: cluster.send(asked)) == "protocol"
        nodes[0].answers = well
        assert cluster.send([("GET", self.HIGH + "{" + self.HIGH + "}")])[0].startswith(self.HIGH.encode())
        assert cluster.send(asked) == [self.LOW.encode(), self.HIGH.encode()]

    @pytest.mark.parametrize("extra", [b"+OK\r\n", bulk(b"extra")], ids=["OK", "a reply"])
    def test_a_frame_too_many_behind_a_redirection_is_no_reply(self, nodes, cluster, extra):
        moved = b"-ASK %d %s:%d\r\n" % (slot_of_key(self.LOW.encode()), nodes[1].host.encode(), nodes[1].port)
        low, high = nodes[0].answers, nodes[1].answers
        nodes[0].answers = lambda command: moved if command[0] == b"GET" else low(command)
        nodes[1].answers = lambda command: b"" if command[0] == b"ASKING" else b"+OK\r\n" + extra + high(command)
        assert kind_of(lambda: cluster.send([("GET", self.LOW)])) == "protocol"
        nodes[1].answers = lambda command: b"+OK\r\n" if command[0] == b"ASKING" else high(command)
        assert cluster.send([("GET", self.LOW)]) == [self.LOW.encode()]

    @pytest.mark.parametrize("where", [b"", b"nowhere", b"host:", b"host:0", b"host:-1", b"host:99999", b"host:\xb2"])
    @pytest.mark.parametrize("word", [b"MOVED", b"ASK"])
    def test_a_redirection_that_leads_nowhere_is_a_fault(self, nodes, cluster, word, where):
        well = nodes[0].answers
        nodes[0].answers = lambda command: b"-%s 1 %s\r\n" % (word, where) if command[0] == b"GET" else well(command)
        assert kind_of(lambda: cluster.send([("GET", self.LOW)])) == "protocol"

    def test_redirections_without_an_end_end(self, nodes, cluster):
        well = nodes[0].answers
        circle = b"-MOVED 1 %s:%d\r\n" % (nodes[0].host.encode(), nodes[0].port)
        nodes[0].answers = lambda command: circle if command[0] == b"GET" else well(command)
        [reply] = cluster.send([("GET", self.LOW)])
        assert reply.code == "MOVED"


ODD_SLOTS = {
    "a text": b"+OK\r\n",
    "a number": b":1\r\n",
    "nothing": b"*-1\r\n",
    "texts": b"*2\r\n+a\r\n+b\r\n",
    "an empty entry": b"*1\r\n*0\r\n",
    "an entry without a master": b"*1\r\n*2\r\n:0\r\n:16383\r\n",
    "a master that is a text": b"*1\r\n*3\r\n:0\r\n:16383\r\n+a\r\n",
    "a master without a port": b"*1\r\n*3\r\n:0\r\n:16383\r\n*1\r\n+a\r\n",
    "a port of text": b"*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n+a\r\n+1\r\n",
    "port 0": b"*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n+a\r\n:0\r\n",
    "port -1": b"*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n+a\r\n:-1\r\n",
    "port 65536": b"*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n+a\r\n:65536\r\n",
    "a host of a number": b"*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n:1\r\n:6379\r\n",
    "a host with a NUL": b"*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$3\r\na\0b\r\n:6379\r\n",
    "a host that isn't UTF-8": b"*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$2\r\n\xff\xfe\r\n:6379\r\n",
    "negative slots": b"*1\r\n*3\r\n:-1\r\n:16383\r\n*2\r\n+a\r\n:6379\r\n",
    "slots beyond the last": b"*1\r\n*3\r\n:0\r\n:16384\r\n*2\r\n+a\r\n:6379\r\n",
    "slots backwards": b"*1\r\n*3\r\n:100\r\n:1\r\n*2\r\n+a\r\n:6379\r\n",
    "slots of text": b"*1\r\n*3\r\n+0\r\n+1\r\n*2\r\n+a\r\n:6379\r\n",
    "slots twice": b"*2\r\n*3\r\n:0\r\n:9\r\n*2\r\n+a\r\n:1\r\n*3\r\n:9\r\n:16383\r\n*2\r\n+b\r\n:1\r\n",
    "a replica that is none": b"*1\r\n*4\r\n:0\r\n:16383\r\n*2\r\n+a\r\n:6379\r\n:7\r\n",
    "a deep list": b"*1\r\n" * 8 + b":1\r\n",
    "a list 100,000 deep": b"*1\r\n" * 100_000 + b":1\r\n",
}


@pytest.mark.parametrize("told", ODD_SLOTS.values(), ids=ODD_SLOTS)
def test_a_map_of_the_cluster_of_an_odd_shape_is_the_stores_fault(hostile, closing, told):
    server = hostile(lambda command: told if command[0] == b"CLUSTER" else echo(command))
    store = opened_on(server, closing, cluster=True)
    assert kind_of(lambda: store.admit(LIMITED)) == "protocol"


@pytest.mark.parametrize("told", [b"*0\r\n", b"*1\r\n*3\r\n:0\r\n:0\r\n*2\r\n$-1\r\n:1\r\n"], ids=["empty", "a gap"])
def test_slots_that_nobody_serves_are_a_cluster_that_is_down(hostile, closing, told):
    server = hostile(lambda command: told if command[0] == b"CLUSTER" else echo(command))
    store = opened_on(server, closing, cluster=True)
    assert kind_of(lambda: store.admit(LIMITED)) == "cluster-down"

"""Connecting at start has patience of its own: what takes longer than a decision there isn't lost by it."""

import threading

import pytest

from tests.contract.places import close
from tests.harness.hostile_redis import HostileRedis, bulk
from tests.harness.serverless_redis import ServerlessRedis
from tidegate import StoreUnavailableError
from tidegate.clock import SystemClock
from tidegate.redis_driver.elasticache_iam import IamCredentials
from tidegate.redis_driver.node import RedisTarget
from tidegate.stores.redis.store import RedisStore

DECISION_S = 0.02
SLOW_S = 5 * DECISION_S
AMPLE_S = 20.0


@pytest.fixture
def slow(closing):
    """`slow(verb)` begins a cluster of one node that takes its time for that command; None: it never answers it."""

    def begin(verb, takes_s=SLOW_S):
        ended = threading.Event()
        closing.callback(ended.set)

        def answers(command):
            name = command[0].upper()
            if name == verb and ended.wait(takes_s):
                return b""
            if name == b"CLUSTER":
                host = bulk(server.host.encode())
                return b"*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n%b:%d\r\n" % (host, server.port)
            return b"+OK\r\n"

        server = closing.enter_context(HostileRedis(answers))
        return server

    return begin


@pytest.fixture
def store(closing):
    def make(url, **more):
        made = RedisStore(RedisTarget(url, DECISION_S, DECISION_S, **more), "cold", "one", SystemClock())
        closing.callback(close, made)
        return made

    return make


def signed_in(server):
    return server.url.replace("redis://", "redis://app:secret@")


@pytest.mark.parametrize(("verb", "cluster"), [(b"AUTH", False), (b"AUTH", True), (b"CLUSTER", True)])
def test_a_slow_first_connection_is_made(slow, store, verb, cluster):
    url = signed_in(slow(verb))
    with pytest.raises(StoreUnavailableError, match="time"):
        store(url, cluster=cluster).probe()
    store(url, cluster=cluster).probe(AMPLE_S)


@pytest.mark.parametrize(("verb", "cluster"), [(b"AUTH", False), (b"AUTH", True), (b"CLUSTER", True), (b"SET", False)])
def test_patience_with_one_that_hangs_ends(slow, store, verb, cluster):
    asked = store(signed_in(slow(verb, AMPLE_S)), cluster=cluster)
    with pytest.raises(StoreUnavailableError) as raised:
        asked.probe(2 * SLOW_S)
    assert raised.value.kind == "timeout"


class Slowly(IamCredentials):
    """Signs as botocore does at a cold start, when it has to be loaded first."""

    slow = True

    def get_credentials(self):
        if self.slow:
            threading.Event().wait(SLOW_S)
        self.slow = False
        return super().get_credentials()


def test_a_first_token_takes_no_time_of_the_connection(store):
    with ServerlessRedis() as cache:
        made = store(cache.url, cluster=True, credentials=Slowly("app", "cache"))
        made._transport._dialer.prepare(made._transport._seed)
        assert cache.tokens_seen == 0
        made.probe(AMPLE_S)
        assert cache.denied() == []
        assert cache.tokens_seen == 1

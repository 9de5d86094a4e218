"""The client of a Sentinel's master, with a real Sentinel."""

from __future__ import annotations

import subprocess

import pytest
import redis
from redis.sentinel import Sentinel

from tests.contract.store_errors import answered
from tests.contract.test_redis_faults import QUESTION
from tests.contract.test_redis_py import store_of
from tests.harness.ports import free_port
from tests.harness.redis_binary import redis_binary
from tests.harness.waiting import eventually


@pytest.fixture
def sentinel(redis_server, tmp_path):
    port = free_port()
    config = tmp_path / "sentinel.conf"
    config.write_text(f"port {port}\nbind 127.0.0.1\nsentinel monitor shop {redis_server.host} {redis_server.port} 1\n")
    process = subprocess.Popen([redis_binary(), config, "--sentinel"], stdout=subprocess.DEVNULL)
    found = Sentinel([("127.0.0.1", port)], socket_timeout=5)

    def knows():
        try:
            return found.discover_master("shop")
        except redis.ConnectionError:
            return None

    eventually(knows)
    yield found
    for each in found.sentinels:
        each.close()
    process.terminate()
    process.wait()


def test_a_sentinels_master_decides(redis_server, sentinel):
    with sentinel.master_for("shop", decode_responses=True) as client:
        store = store_of(client, timeout_s=5)
        assert [answered(lambda: store.admit(QUESTION)).limits[0].remaining for _ in range(2)] == [999, 998]

"""Redis dies in the middle of traffic and comes back; nobody restarts anything."""

from __future__ import annotations

import threading
import time

import pytest

from tests.harness.waiting import eventually

pytestmark = pytest.mark.e2e

RATE, BURST = 50, 100  # the limit of GET /v1/products/{id}, per key


class Traffic:
    """Clients that go on asking until told to stop, and keep all they saw."""

    def __init__(self, cloud, threads):
        self._cloud = cloud
        self.answers = []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(threads)]

    def _ask(self):
        while not self._stop.is_set():
            began = time.monotonic()
            answer = self._cloud.get("/v1/products/none")
            self.answers.append((began, time.monotonic() - began, answer.status_code))

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def wait_for(self, count):
        target = len(self.answers) + count
        deadline = time.monotonic() + 60
        while len(self.answers) < target:
            assert time.monotonic() < deadline, "the traffic has stopped"
            self._stop.wait(0.01)


def _dependencies(cloud):
    return {d["name"]: d for d in cloud.get("/health", tier=None).json()["dependencies"]}


def test_redis_killed_in_mid_traffic_fails_no_request_and_limits_hold(cloud):
    cloud.warm(threads=4)
    with Traffic(cloud, threads=4) as traffic:
        traffic.wait_for(100)
        cloud.redis.kill()
        killed = time.monotonic()
        traffic.wait_for(400)
    assert {status for _, _, status in traffic.answers} <= {404, 429}
    during = [(began, status) for began, _, status in traffic.answers if began >= killed]
    lasted = max(began for began, _ in during) - killed
    admitted = sum(status == 404 for _, status in during)
    assert admitted <= BURST + RATE * (lasted + 1), f"{admitted} admitted in {lasted:.1f} s"
    assert admitted > 0
    health = cloud.get("/health/ready", tier=None)
    assert health.status_code == 200
    assert health.json()["status"] == "degraded"
    assert _dependencies(cloud)["redis"]["breaker"] in {"open", "half-open"}


def test_redis_back_is_used_again_without_a_restart(cloud):
    cloud.get("/v1/products/none")
    cloud.redis.kill()
    eventually(lambda: _dependencies(cloud)["redis"]["state"] == "failing", within_s=20)
    version = cloud.get("/health", tier=None).json()["version"]
    cloud.redis.restart_empty()
    eventually(lambda: _dependencies(cloud)["redis"]["state"] == "ready", within_s=20)
    asked = cloud.redis.info("commandstats").get("cmdstat_evalsha", {}).get("calls", 0)
    eventually(
        lambda: (
            cloud.get("/v1/products/none").status_code in {404, 429}
            and cloud.redis.info("commandstats").get("cmdstat_evalsha", {}).get("calls", 0) > asked
        ),
        within_s=20,
    )
    assert cloud.get("/health", tier=None).json()["version"] == version


def test_hung_redis_hangs_no_client(cloud):
    cloud.get("/v1/products/none")
    cloud.redis.stop()
    answers = cloud.at_once(40, lambda: cloud.get("/v1/products/none"), threads=4)
    assert {a.status_code for a in answers} <= {404, 429}
    assert max(a.elapsed.total_seconds() for a in answers) < 20

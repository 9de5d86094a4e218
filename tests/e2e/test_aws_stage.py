"""The stage aws' own template on the embedded engine: from a first create that fails to the stack's deletion.

Its Redis is real, in cluster mode and with the cache user's rights alone, behind TLS, IAM's tokens and a few
milliseconds.
"""

from __future__ import annotations

import httpx
import pytest

from examples.shop.changes import CHECKOUT, FAILING_ORDERS
from tests.e2e.aws_stage import AwsStage
from tests.harness.engine_choice import ENGINE
from tests.harness.iam_cache import IamCache, Identity
from tests.harness.ports import free_port
from tests.harness.redis_server import RedisServer
from tests.harness.release_traffic import traffic
from tidegate_cdk.api.cache_access import ACCESS
from tidegate_local.engines.embedded import Embedded
from tidegate_local.engines.engine import PROCESS
from tidegate_local.layout import StateFolder
from tidegate_local.registry import ProcessRegistry

pytestmark = [
    pytest.mark.slow,
    pytest.mark.e2e,
    pytest.mark.skipif(ENGINE != "embedded", reason="the other engines know no custom resource, or need Docker"),
]
USER, PASSWORD = "tidegate-aws", "known-to-the-proxy-alone"
# It fails when it is made, which is after the release: nobody has that function.
FAILING = {
    "Type": "Custom::Failing",
    "Properties": {"ServiceToken": "arn:aws:lambda:us-east-1:000000000000:function:nobody"},
}


@pytest.fixture
def _a_redis_that_is_up():
    """In place of the other tests' cloud: this one has its own."""


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    port = free_port(with_bus=True)
    with IamCache(lambda: port, Identity(USER, USER), PASSWORD, tmp_path_factory.mktemp("tls")) as made:
        announced = f"cluster-announce-port {made.port}"
        rights = f"user {USER} {ACCESS} >{PASSWORD}"
        with RedisServer(announced, rights, cluster=True, port=port) as redis:
            made.redis = redis
            yield made


@pytest.fixture(scope="module")
def stage(cache, tmp_path_factory):
    folder = StateFolder(tmp_path_factory.mktemp("engine"))
    registry = ProcessRegistry(folder.processes_file)
    try:
        yield AwsStage(Embedded().ensure(folder, registry).url, tmp_path_factory.mktemp("assembly"), cache.url)
    finally:
        registry.stop(PROCESS)


def test_from_a_first_create_that_fails_to_the_deletion(stage, cache):
    a_first_create_fails(stage)
    assert stage.create(stage.template) == "CREATE_COMPLETE", stage.reasons()
    assert stage.alias("api") == ("1", {})
    state = stage.state()
    it_answers_with_its_redis(state, cache)

    good = stage.released(CHECKOUT, "# a good release")
    with traffic(state, per_s=12) as clients:
        assert stage.update(good) == "UPDATE_COMPLETE", stage.reasons()
    assert not clients.failed
    assert stage.alias("api") == ("2", {})

    bad = stage.patient(stage.released(CHECKOUT, FAILING_ORDERS.format(share=1)))
    with traffic(state, orders=0.5) as clients:
        assert stage.update(bad) == "UPDATE_ROLLBACK_COMPLETE", stage.reasons()
    assert {answer.path for answer in clients.failed} == {"/v1/orders"}
    assert stage.alias("api") == ("2", {})

    a_promotion_is_taken_back(stage)
    it_answers_with_its_redis(state, cache)
    assert stage.delete() == "DELETE_COMPLETE", stage.reasons()
    assert not cache.refused


def a_first_create_fails(stage):
    """Another resource fails: what was made goes again, the release with it, and the stack can be made anew."""
    assert stage.create(stage.failing(stage.template, FAILING)) == "ROLLBACK_COMPLETE", stage.reasons()
    assert stage.delete() == "DELETE_COMPLETE"


def a_promotion_is_taken_back(stage):
    """Another resource fails after the release: the stack goes back, and the aliases with it."""
    following = stage.failing(stage.released(CHECKOUT, "# another good release"), FAILING)
    assert stage.update(following) == "UPDATE_ROLLBACK_COMPLETE", stage.reasons()
    assert not [reason for reason in stage.reasons() if reason.startswith(("Not ready.", "Rolled back."))]
    assert stage.alias("api") == ("2", {})


def it_answers_with_its_redis(state, cache):
    """Requests are decided in the Redis that IAM lets in, and their limits are counted there."""
    taken = cache.taken
    with httpx.Client(base_url=state["api_url"], headers={"x-api-key": state["api_keys"]["internal"]}) as http:
        answers = [http.get("/v1/products?limit=5", timeout=60) for _ in range(3)]
        health = http.get("/health/ready", timeout=60)
    assert [answer.status_code for answer in answers] == [200] * 3, answers[0].text
    assert health.status_code == 200, health.text
    assert cache.taken >= taken
    assert cache.taken
    with cache.redis.client() as redis:
        assert list(redis.scan_iter("tidegate:*"))

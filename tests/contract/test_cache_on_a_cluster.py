"""The cache of a whole application on three masters: limits, copies and tags lie in slots of their own."""

import pytest

from tests.harness.cache_status import told
from tests.http.cached import Catalogue
from tests.http.wire import call
from tidegate import Settings, protect

pytestmark = pytest.mark.anyio


@pytest.fixture
def catalogue(sharded_cluster):
    made = Catalogue(shared=True, tags=("product:{product_id}",))
    settings = Settings(redis_url=sharded_cluster.url, redis_cluster=True, decision_budget_ms=9000)
    gate = protect(made.app, settings=settings)
    yield made
    gate.close()


class _Answer:
    """An answer as `told` reads it."""

    def __init__(self, made):
        self.headers = made.headers


async def status_of(catalogue, path):
    made = await call(catalogue.app, "GET", path)
    assert made.status == 200
    return told(_Answer(made))


async def test_copies_are_given_and_voided_whatever_slot_they_lie_in(catalogue):
    paths = [f"/products/{name}" for name in "abcdef"]
    assert all([(await status_of(catalogue, path))["stored"] for path in paths])
    assert all([(await status_of(catalogue, path))["hit"] for path in paths])
    voided = await call(catalogue.app, "POST", "/products/a")
    assert voided.body == b"true"
    assert "hit" not in await status_of(catalogue, "/products/a")
    assert (await status_of(catalogue, "/products/b"))["hit"] is True

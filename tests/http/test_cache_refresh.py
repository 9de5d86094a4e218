"""`refresh="async"`: the old copy at once, the new one made by another invocation, which nobody outside can ask for."""

from urllib.parse import unquote

import pytest

from tests.harness.cache_status import told
from tests.harness.lambda_events import LambdaContext, rest_event
from tests.harness.waiting import eventually
from tests.http.cached import Catalogue
from tests.http.lambda_queue import LambdaQueue
from tidegate.cache import async_refresh


@pytest.fixture
def queue(closing, stores, monkeypatch):
    made = closing.enter_context(LambdaQueue())
    monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", made.url)
    async_refresh._client.cache_clear()
    yield made
    async_refresh._client.cache_clear()


@pytest.fixture
def catalogue():
    return Catalogue(fresh="1ms", stale="1h", refresh="async")


def stale(api):
    """Ask until the copy is past its freshness."""

    def look():
        answer = api.get("/products/a", key="ann")
        return answer if told(answer)["ttl"] < 0 else None

    return eventually(look)


def test_the_old_one_is_given_and_another_invocation_makes_the_new_one(deploy, stores, queue, catalogue, log):
    api = deploy(catalogue.app, stores.settings())
    api.get("/products/a", key="ann")
    old = stale(api)
    assert (old.json()["number"], log.last["cache"]) == (1, "stale")
    context = LambdaContext()
    [(function, kind, event)] = queue.invocations
    assert (unquote(function), kind) == (context.invoked_function_arn, "Event")
    assert "hit" in told(api.get("/products/a", key="ann")), "one renewal at a time"
    assert len(queue.invocations) == 1
    assert catalogue.calls["/products/a"] == 1

    other = Catalogue(fresh="1h", refresh="async")
    other.headers = {"x-made": "elsewhere"}
    elsewhere = deploy(other.app, stores.settings())  # Lambda may give it to any environment
    elsewhere.get("/products/warm", key="ann")
    stores.to_redis.reset_counts()
    made = elsewhere.invoke(event)
    assert told(made)["stored"] is True
    assert log.last["cache"] == "computed"
    assert stores.to_redis.commands == ["EVALSHA"], "charged to nobody: the settlement alone"
    assert api.get("/products/a", key="ann").headers["x-made"] == "elsewhere"


def test_where_lambda_does_not_take_it_the_request_makes_it_itself(deploy, stores, queue, catalogue):
    queue.status = 403
    api = deploy(catalogue.app, stores.settings())
    api.get("/products/a", key="ann")
    eventually(lambda: api.get("/products/a", key="ann").json()["number"] >= 2)
    assert queue.invocations == []


def test_off_lambda_it_is_inline(serve, stores, queue, catalogue):
    api = serve(catalogue.app, stores.settings())
    api.get("/products/a", key="ann")
    eventually(lambda: api.get("/products/a", key="ann").json()["number"] >= 2)
    assert queue.invocations == []


def test_a_client_cannot_pass_for_one(deploy, stores, queue, catalogue):
    """Whatever a client sends is below the event's own members: it is charged, and gets no lease by name."""
    api = deploy(catalogue.app, stores.settings())
    forged = rest_event(
        "GET",
        "/products/a",
        headers={"tidegate.refresh": "token", "x-tidegate-refresh": "token"},
        query={"tidegate.refresh": "token"},
        body={"tidegate.refresh": "token"},
        api_key_id="ann",
    )
    assert "ratelimit" in api.invoke(forged).headers

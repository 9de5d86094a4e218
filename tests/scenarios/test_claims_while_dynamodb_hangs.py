"""DynamoDB hangs while Redis is well: claims wait for it, and whatever needs no claim doesn't."""

import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.harness.waiting import eventually
from tests.scenarios.environment import Environment
from tests.scenarios.places import plain

pytestmark = pytest.mark.slow

# More than the environment has threads for claims.
POSTS = 150


def test_decisions_do_not_queue_behind_claims(dynamo, closing):
    place = plain(dynamo, closing)
    environment = closing.enter_context(Environment("server", place, budget_ms=3000))

    def pay(_):
        client = environment.client()
        answer = client.request("POST", "/payments", uuid.uuid4().hex, uuid.uuid4().hex, "an order")
        client.close()
        return answer.status

    assert pay(None) == 201
    place.to_dynamo.hang()
    place.to_dynamo.reset_counts()
    with ThreadPoolExecutor(POSTS) as clients:
        waiting = [clients.submit(pay, n) for n in range(POSTS)]
        eventually(lambda: len(place.to_dynamo.commands) >= 64)
        client = environment.client()
        assert client.request("GET", "/share", "somebody").status == 200
        client.close()
        answered = sum(post.done() for post in waiting)
        assert {post.result() for post in waiting} == {503}
    assert answered == 0, "without threads of its own, the decision has to wait for a claim to be given up"
    assert [line.store for line in environment.lines() if line.route == "/share"] == ["redis"]
    assert environment.effects("an order") == 1

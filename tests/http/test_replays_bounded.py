"""Replays have a budget: a principal's retries are far below it, and nobody can ask for answers again without end."""

import contextlib
from dataclasses import replace

import pytest
from fastapi import Depends, FastAPI

from tests.http.faces import Function
from tests.http.payments import AMPLE
from tidegate import TokenBucket, policy, protect
from tidegate.idempotency.replay_budget import BURST_S, LEAST_BYTES
from tidegate.testing import FakeClock

KEY = {"idempotency-key": "8e03978e-40d5-43e8-bc93-6894a57f9324"}
SMALL_BUDGET = 2 * LEAST_BYTES
AT_ONCE = int(BURST_S * SMALL_BUDGET / LEAST_BYTES)


class Till:
    """An application whose authentication counts how often it is asked."""

    def __init__(self, settings, limits=AMPLE):
        self.app, self.ran, self.authenticated = FastAPI(), 0, 0
        self.gate = protect(self.app, settings=settings)
        self.clock = self.gate._lifecycle.environment.replays._clock = FakeClock()

        def authenticate():
            self.authenticated += 1

        @self.app.post("/payments", dependencies=[Depends(authenticate)])
        @policy(limits=limits, idempotent=True)
        async def pay(size: int = 0):
            self.ran += 1
            return "x" * size


@pytest.fixture
def open_till(closing):
    def opened(settings, **how):
        till = Till(replace(settings, replay_bytes_per_s=SMALL_BUDGET), **how)
        closing.callback(till.gate.close)
        return till, closing.enter_context(contextlib.closing(Function(till.app)))

    return opened


def pay(api, key="alice", size=0):
    return api.post(f"/payments?size={size}", key=key, headers=KEY)


def replays(api, **how):
    """How many replays are told in a row, and the refusal after them."""
    count = 0
    while (answer := pay(api, **how)).status_code == 200:
        assert answer.headers["idempotent-replayed"] == "true"
        count += 1
        assert count < 1000
    return count, answer


def test_beyond_it_a_replay_has_to_wait_and_nothing_runs(memory, open_till, log):
    till, api = open_till(memory)
    assert pay(api).status_code == 200
    count, refused = replays(api)
    assert count == pytest.approx(AT_ONCE, abs=1)
    assert (refused.status_code, refused.headers["content-type"]) == (429, "application/problem+json")
    assert refused.json()["violated-policies"] == ["replays"]
    assert log.last["outcome"] == "limited"
    assert (till.ran, till.authenticated) == (1, count + 1), "what stands in front of the handler doesn't run either"
    till.clock.advance(int(refused.headers["retry-after"]))
    assert pay(api).headers["idempotent-replayed"] == "true"


def test_a_large_answer_costs_what_it_weighs(memory, open_till):
    _, api = open_till(memory)
    assert pay(api, size=2 * LEAST_BYTES).status_code == 200
    assert replays(api, size=2 * LEAST_BYTES)[0] == pytest.approx(AT_ONCE / 2, abs=1)


def test_it_is_each_principal_s_own_and_a_new_request_needs_none(memory, open_till):
    till, api = open_till(memory)
    for key in ("alice", "bob"):
        pay(api, key)
    replays(api)
    assert pay(api, "bob").headers["idempotent-replayed"] == "true"
    assert api.post("/payments", key="alice", headers={"idempotency-key": "another"}).status_code == 200
    assert till.ran == 3


def test_beyond_a_limit_too_an_answer_is_told_again_and_not_without_end(stores, open_till):
    settings = stores.settings(redis_url=None)
    till, api = open_till(settings, limits=[TokenBucket("1/min", burst=1)])
    assert pay(api).status_code == 200
    count, refused = replays(api)
    assert count == pytest.approx(AT_ONCE, abs=1)
    assert int(refused.headers["retry-after"]) >= 1
    stores.to_dynamo.reset_counts()
    assert pay(api).status_code == 429
    assert "GetItem" not in stores.to_dynamo.commands, "nor does it cost a read"
    assert till.ran == 1

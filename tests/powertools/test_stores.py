"""What a call costs on the wire, and what it does without one of its stores."""

import pytest
from aws_lambda_powertools.utilities.idempotency.exceptions import (
    IdempotencyAlreadyInProgressError,
    IdempotencyPersistenceLayerError,
)

from tests.harness.lambda_events import LambdaContext
from tests.powertools.handlers import handler_on
from tidegate import ConfigurationError, Settings, StoreUnavailableError
from tidegate.powertools import TidegatePersistenceLayer

EVENT = {"order": "8e03978e"}
SHORT_MS = 150


def refused(handler, message):
    with pytest.raises(IdempotencyPersistenceLayerError, match=message) as raised:
        handler(EVENT, LambdaContext())
    assert isinstance(raised.value.__cause__, StoreUnavailableError)


# ── on the wire ─────────────────────────────────────────────────────────────────────────────────────────────


def test_a_run_costs_two_calls_to_redis_and_two_writes_in_dynamodb(layer_on, stores, till, context):
    handler = handler_on(layer_on(), till)
    handler("warm", context)
    stores.reset_counts()
    handler(EVENT, context)
    assert stores.to_redis.round_trips == 2
    assert stores.to_dynamo.commands == ["PutItem", "UpdateItem"]


def test_a_replay_is_one_round_trip_to_redis_and_asks_dynamodb_nothing(layer_on, stores, till, context):
    handler, other = handler_on(layer_on(), till), handler_on(layer_on(), till)
    handler(EVENT, context)
    other("warm", context)
    stores.reset_counts()
    assert other(EVENT, context) == {"receipt": 1, "event": EVENT}
    assert (stores.to_redis.round_trips, stores.to_dynamo.commands) == (1, [])


def test_a_replay_from_the_local_cache_asks_nobody(layer_on, stores, till, context):
    handler = handler_on(layer_on(), till, use_local_cache=True)
    handler(EVENT, context)
    stores.reset_counts()
    assert handler(EVENT, context) == {"receipt": 1, "event": EVENT}
    assert (stores.to_redis.commands, stores.to_dynamo.commands) == ([], [])


def test_what_was_replayed_once_is_in_the_local_cache(layer_on, stores, till, context):
    handler_on(layer_on(), till)(EVENT, context)
    other = handler_on(layer_on(), till, use_local_cache=True)
    other(EVENT, context)
    stores.reset_counts()
    assert other(EVENT, context) == {"receipt": 1, "event": EVENT}
    assert (stores.to_redis.commands, stores.to_dynamo.commands) == ([], [])


def test_redis_keeps_its_copy_no_longer_than_the_response_lives(layer_on, redis_db, till, context):
    handler_on(layer_on(), till, expires_after_seconds=600)(EVENT, context)
    [copy] = redis_db.keys("tidegate:*:i:*")
    assert 0 < redis_db.pttl(copy) <= 600_000


# ── without Redis ───────────────────────────────────────────────────────────────────────────────────────────


def test_redis_killed_between_run_and_retry(layer_on, stores, till, context):
    handler = handler_on(layer_on(), till)
    answer = handler(EVENT, context)
    stores.redis.kill()
    assert handler(EVENT, context) == handler_on(layer_on(), till)(EVENT, context) == answer
    stores.redis.start()
    assert handler(EVENT, context) == handler_on(layer_on(), till)(EVENT, context) == answer
    assert len(till.taken) == 1


@pytest.mark.parametrize("fault", ["hang", "refuse", "reset", "readonly", "fill_memory"])
def test_with_a_redis_that_fails_each_event_still_runs_once(layer_on, stores, till, context, fault):
    first, other = (handler_on(layer_on(decision_budget_ms=SHORT_MS), till) for _ in range(2))
    first("before", context)
    getattr(stores.redis if hasattr(stores.redis, fault) else stores.to_redis, fault)()
    answers = [[handler(event, context) for handler in (first, other)] for event in ("before", "one", "two")]
    assert [one == two for one, two in answers] == [True] * 3
    assert till.taken == ["before", "one", "two"]


def test_redis_lost_while_it_runs(layer_on, stores, till, context):
    def run(event, context):
        stores.to_redis.refuse()
        return till(event, context)

    answer = handler_on(layer_on(), run)(EVENT, context)
    stores.to_redis.pass_through()
    assert handler_on(layer_on(), till)(EVENT, context) == answer
    assert len(till.taken) == 1


# ── without DynamoDB ────────────────────────────────────────────────────────────────────────────────────────


def test_redis_replays_its_records_and_nothing_runs_without_a_claim_store(layer_on, stores, till, context):
    answer = handler_on(layer_on(), till)("known", context)
    stores.to_dynamo.refuse()
    handler = handler_on(layer_on(), till)
    refused(handler, "Failed to save in progress record")
    assert handler("known", context) == answer
    assert till.taken == ["known"]


@pytest.mark.parametrize("stores_in_use", [{}, {"redis_url": None}], ids=["with redis", "without"])
def test_a_response_dynamodb_lost_is_reported_and_lasts_for_its_hold(layer_on, stores, till, context, stores_in_use):
    """Redis keeps no copy of it: it could go on replaying one answer while another one was stored."""

    def run(event, context):
        stores.to_dynamo.refuse()
        return till(event, context)

    refused(handler_on(layer_on(**stores_in_use), run), "Failed to update record state to success")
    stores.to_dynamo.pass_through()
    with pytest.raises(IdempotencyAlreadyInProgressError):
        handler_on(layer_on(**stores_in_use), till)(EVENT, context)
    assert len(till.taken) == 1


def test_a_record_that_can_not_be_deleted_is_reported(layer_on, stores):
    def fail(event, context):
        stores.to_dynamo.refuse()
        raise ValueError("declined")

    refused(handler_on(layer_on(), fail), "Failed to delete record")


# ── settings ────────────────────────────────────────────────────────────────────────────────────────────────


def test_it_is_made_from_the_environments_variables(stores, till, context, monkeypatch):
    monkeypatch.setenv("TIDEGATE_REDIS_URL", stores.redis.url)
    monkeypatch.setenv("TIDEGATE_TABLE", stores.table)
    monkeypatch.setenv("TIDEGATE_DECISION_BUDGET_MS", "3000")
    layers = [TidegatePersistenceLayer() for _ in range(2)]
    assert [handler_on(layer, till)(EVENT, context)["receipt"] for layer in layers] == [1, 1]
    assert stores.claim["state"]["S"] == "completed"
    for layer in layers:
        layer.close()


def test_namespaces_are_apart(layer_on, till, context):
    answers = [handler_on(layer_on(namespace=name), till)(EVENT, context)["receipt"] for name in ("a", "b", "a")]
    assert answers == [1, 2, 1]


def test_redis_alone_is_refused_for_it_can_lose_a_claim():
    with pytest.raises(ConfigurationError, match="TIDEGATE_TABLE"):
        TidegatePersistenceLayer(Settings(redis_url="redis://127.0.0.1:6379"))


def test_without_any_store_it_says_what_to_write():
    with pytest.raises(ConfigurationError, match="TIDEGATE_REDIS_URL"):
        TidegatePersistenceLayer()


def test_in_memory_for_one_process(till, context):
    layer = TidegatePersistenceLayer(Settings(memory_only=True))
    handler = handler_on(layer, till)
    assert [handler(EVENT, context)["receipt"] for _ in range(2)] == [1, 1]
    layer.close()

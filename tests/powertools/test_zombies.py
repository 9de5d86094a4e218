"""Holds that end: whoever outlives its own can neither complete nor delete what its heir has."""

import threading
import time

import pytest
from aws_lambda_powertools.utilities.idempotency import DynamoDBPersistenceLayer, IdempotencyConfig, idempotent
from aws_lambda_powertools.utilities.idempotency.exceptions import (
    IdempotencyAlreadyInProgressError,
    IdempotencyPersistenceLayerError,
)

from tests.contract.places import Place, close
from tests.harness.lambda_events import LambdaContext
from tidegate.powertools import ClaimSupersededError, TidegatePersistenceLayer

EVENT = {"order": "8e03978e"}
TIMEOUT_MS = 20_000
PAST_ITS_HOLD_S = (TIMEOUT_MS + 10_000) / 1000
LIFETIME_S = 600


@pytest.fixture
def context():
    """Of an invocation that has its whole time yet, however long the test takes."""
    made = LambdaContext()
    made.get_remaining_time_in_millis = lambda: TIMEOUT_MS
    return made


def handler_on(layer, function, **config):
    @idempotent(persistence_store=layer, config=IdempotencyConfig(expires_after_seconds=LIFETIME_S, **config))
    def handler(event, context):
        return function()

    return handler


class Runs(list):
    """Names of those that ran, in order."""

    def of(self, name, then=lambda: None):
        def run():
            self.append(name)
            then()
            return name

        return run


@pytest.fixture
def runs():
    return Runs()


def test_a_response_is_replayed_for_its_lifetime_and_then_it_runs_again(clocked, clock, runs, context):
    handler = handler_on(clocked(), runs.of("first"))
    handler(EVENT, context)
    clock.advance(LIFETIME_S - 1)
    assert handler_on(clocked(), runs.of("second"))(EVENT, context) == "first"
    clock.advance(3)
    assert handler_on(clocked(), runs.of("third"))(EVENT, context) == "third"
    assert runs == ["first", "third"]


def test_a_claim_stands_as_long_as_its_invocation_can_live(stores, layer_on, context):
    def look():
        stands_ms = int(stores.claim["deadline_ms"]["N"]) - time.time_ns() // 1_000_000
        assert TIMEOUT_MS - 15_000 < stands_ms <= TIMEOUT_MS + 10_000

    handler_on(layer_on(), look)(EVENT, context)
    kept_s = int(stores.claim["expires_at"]["N"]) - time.time()
    assert LIFETIME_S - 60 < kept_s <= LIFETIME_S + 1, "and its response for its own lifetime"


def test_without_a_context_a_claim_stands_for_the_responses_lifetime(clocked, clock, runs):
    other = handler_on(clocked(), runs.of("other"))

    def crash():
        clock.advance(LIFETIME_S - 2)
        with pytest.raises(IdempotencyAlreadyInProgressError):
            other(EVENT, None)
        raise SystemExit  # Powertools then neither completes nor deletes

    first = handler_on(clocked(), runs.of("first", crash))
    with pytest.warns(UserWarning, match="remaining time"), pytest.raises(SystemExit):
        call_without_context(first)
    clock.advance(3)
    with pytest.warns(UserWarning, match="remaining time"):
        assert other(EVENT, None) == "other"


def call_without_context(handler):
    return handler(EVENT, None)


def test_what_a_crashed_run_left_is_taken_over_when_its_hold_ends(clocked, clock, runs, context):
    def crash():
        raise SystemExit

    with pytest.raises(SystemExit):
        handler_on(clocked(), runs.of("crashed", crash))(EVENT, context)
    heir = handler_on(clocked(), runs.of("heir"))
    clock.advance(PAST_ITS_HOLD_S - 2)
    with pytest.raises(IdempotencyAlreadyInProgressError):
        heir(EVENT, context)
    clock.advance(2)
    assert [heir(EVENT, context) for _ in range(2)] == ["heir", "heir"]
    assert runs == ["crashed", "heir"]


def test_on_managed_instances_a_run_past_its_timeout_keeps_its_claim(clocked, clock, runs, context, monkeypatch):
    monkeypatch.setenv("AWS_LAMBDA_INITIALIZATION_TYPE", "lambda-managed-instances")

    def overrun():
        clock.advance(PAST_ITS_HOLD_S)
        with pytest.raises(IdempotencyAlreadyInProgressError):
            handler_on(clocked(), runs.of("heir"))(EVENT, context)

    assert handler_on(clocked(), runs.of("long", overrun))(EVENT, context) == "long"
    assert runs == ["long"]


@pytest.mark.parametrize("one_layer", [True, False], ids=["in one environment", "in two"])
def test_a_zombie_whose_heir_has_ended_is_refused(clocked, clock, runs, context, one_layer):
    layer = clocked()
    heir = handler_on(layer if one_layer else clocked(), runs.of("heir"))

    def overrun():
        clock.advance(PAST_ITS_HOLD_S)
        assert heir(EVENT, context) == "heir"

    with pytest.raises(IdempotencyPersistenceLayerError, match="another one took over") as raised:
        handler_on(layer, runs.of("zombie", overrun))(EVENT, context)
    assert isinstance(raised.value.__cause__, ClaimSupersededError)
    assert handler_on(clocked(), runs.of("third"))(EVENT, context) == "heir"
    assert runs == ["zombie", "heir"]


def test_a_zombie_that_ends_before_its_heir_leaves_the_claim_to_it(clocked, clock, runs, context):
    heir_runs, outcome = threading.Event(), []

    def overrun():
        clock.advance(PAST_ITS_HOLD_S)
        began.set()
        assert heir_runs.wait(20)

    def run_as_zombie():
        try:
            handler_on(clocked(), runs.of("zombie", overrun))(EVENT, context)
        except IdempotencyPersistenceLayerError as error:
            outcome.append(error.__cause__)

    def outlive_the_zombie():
        heir_runs.set()
        zombie.join(20)
        with pytest.raises(IdempotencyAlreadyInProgressError):
            handler_on(clocked(), runs.of("third"))(EVENT, context)

    began = threading.Event()
    zombie = threading.Thread(target=run_as_zombie)
    zombie.start()
    assert began.wait(20)
    assert handler_on(clocked(), runs.of("heir", outlive_the_zombie))(EVENT, context) == "heir"
    assert [type(error) for error in outcome] == [ClaimSupersededError]
    assert handler_on(clocked(), runs.of("third"))(EVENT, context) == "heir"
    assert runs == ["zombie", "heir"]


def test_a_zombie_that_raises_deletes_nothing_of_its_heirs(clocked, clock, runs, context):
    heir = handler_on(clocked(), runs.of("heir"))

    def overrun():
        clock.advance(PAST_ITS_HOLD_S)
        heir(EVENT, context)
        raise ValueError("too late")

    with pytest.raises(ValueError, match="too late"):
        handler_on(clocked(), runs.of("zombie", overrun))(EVENT, context)
    assert handler_on(clocked(), runs.of("third"))(EVENT, context) == "heir"
    assert runs == ["zombie", "heir"]


def test_redis_replays_the_heirs_response_and_not_the_zombies(dynamo, library_table, redis_url, clock, runs, context):
    redis = Place("redis", redis_url).open()
    claims = Place("dynamodb", dynamo.endpoint_url, library_table).open_claims(clock)
    layer = TidegatePersistenceLayer(claims=claims, replays=redis)
    heir = handler_on(layer, runs.of("heir"))

    def overrun():
        clock.advance(PAST_ITS_HOLD_S)
        heir(EVENT, context)

    with pytest.raises(IdempotencyPersistenceLayerError):
        handler_on(layer, runs.of("zombie", overrun))(EVENT, context)
    dynamo.drop_table(library_table)
    assert handler_on(layer, runs.of("third"))(EVENT, context) == "heir"
    assert runs == ["zombie", "heir"]
    layer.close()
    close(claims)


def test_a_response_is_replayed_though_its_environments_clock_was_behind(clocked, runs, context, monkeypatch):
    """When a response ends is the claim store's to say: by Powertools' own time this one is over."""
    behind = clocked()
    monkeypatch.setattr(behind, "_get_expiry_timestamp", lambda: int(time.time()) - 100)
    handler_on(behind, runs.of("first"))(EVENT, context)
    assert handler_on(clocked(), runs.of("second"))(EVENT, context) == "first"


def test_a_late_run_that_nobody_succeeded_still_completes(clocked, clock, runs, context):
    late = handler_on(clocked(), runs.of("late", lambda: clock.advance(PAST_ITS_HOLD_S)))
    assert late(EVENT, context) == "late"
    assert handler_on(clocked(), runs.of("other"))(EVENT, context) == "late"


def test_powertools_own_layer_lets_a_zombie_cause_a_third_run(dynamo, runs, monkeypatch):
    """What the fence is for: the same scenario, three runs for one key."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", dynamo.endpoint_url)
    own = DynamoDBPersistenceLayer(table_name=dynamo.create_table(partition_key="id"))
    overdue = LambdaContext()
    overdue.get_remaining_time_in_millis = lambda: -1000
    heir = handler_on(own, runs.of("heir"))

    def overrun():
        heir(EVENT, LambdaContext())
        raise ValueError("too late")

    with pytest.raises(ValueError, match="too late"):
        handler_on(own, runs.of("zombie", overrun))(EVENT, overdue)
    assert handler_on(own, runs.of("third"))(EVENT, LambdaContext()) == "third"
    assert runs == ["zombie", "heir", "third"]
    own.client.close()

"""What Powertools promises of `@idempotent`, as its own functional tests have it, on Tidegate's claims."""

import copy
import datetime as dt
import os
import time

import pytest
from aws_lambda_powertools.utilities.idempotency import IdempotencyConfig
from aws_lambda_powertools.utilities.idempotency.exceptions import (
    IdempotencyAlreadyInProgressError,
    IdempotencyItemNotFoundError,
    IdempotencyKeyError,
    IdempotencyPersistenceLayerError,
    IdempotencyValidationError,
)
from aws_lambda_powertools.warnings import PowertoolsUserWarning

from tests.powertools.handlers import handler_on
from tidegate.powertools import ResponseNotKeptError

EVENT = {"order": "8e03978e", "amount": 100, "nested": {"currency": "EUR"}}
TAMPERED = {**EVENT, "amount": 10_000}
BY_ORDER = {"event_key_jmespath": "order", "payload_validation_jmespath": "amount"}


@pytest.fixture(params=[False, True], ids=["no cache", "local cache"])
def use_local_cache(request):
    return request.param


def test_the_first_call_runs_and_later_ones_get_its_response(new_layer, till, context, use_local_cache):
    first, other = (handler_on(new_layer(), till, use_local_cache=use_local_cache) for _ in range(2))
    answers = [handler(EVENT, context) for handler in (first, first, other, other)]
    assert answers == [{"receipt": 1, "event": EVENT}] * 4
    assert till.taken == [EVENT]


def test_another_event_is_another_key(layer, till, context):
    handler = handler_on(layer, till)
    assert handler(EVENT, context) != handler(TAMPERED, context)
    assert len(till.taken) == 2


def test_members_in_another_order_are_the_same_event(layer, till, context):
    handler = handler_on(layer, till)
    handler(EVENT, context)
    handler(dict(reversed(EVENT.items())), context)
    assert len(till.taken) == 1


def test_while_it_runs_another_environment_is_told_so(new_layer, context):
    other = handler_on(new_layer(), lambda event, context: "other")

    def run(event, context):
        with pytest.raises(IdempotencyAlreadyInProgressError, match="Execution already in progress"):
            other(EVENT, context)
        return "first"

    assert handler_on(new_layer(), run)(EVENT, context) == "first"
    assert other(EVENT, context) == "first"


def test_a_handler_that_raises_leaves_no_record(new_layer, till, context, use_local_cache):
    def fail(event, context):
        till(event, context)
        raise ValueError("declined")

    failing = handler_on(new_layer(), fail, use_local_cache=use_local_cache)
    for _ in range(2):
        with pytest.raises(ValueError, match="declined"):
            failing(EVENT, context)
    assert handler_on(new_layer(), till)(EVENT, context)["receipt"] == 3


def test_another_payload_under_the_same_key_is_refused(new_layer, till, context, use_local_cache):
    handler = handler_on(new_layer(), till, use_local_cache=use_local_cache, **BY_ORDER)
    other = handler_on(new_layer(), till, use_local_cache=use_local_cache, **BY_ORDER)
    handler(EVENT, context)
    for asked in (handler, other, other):
        with pytest.raises(IdempotencyValidationError, match="Payload does not match"):
            asked(TAMPERED, context)
    assert other({**EVENT, "nested": "not validated"}, context) == {"receipt": 1, "event": EVENT}
    assert len(till.taken) == 1


def test_another_payload_is_refused_while_the_first_one_runs(new_layer, context):
    other = handler_on(new_layer(), lambda event, context: "other", **BY_ORDER)

    def run(event, context):
        with pytest.raises(IdempotencyValidationError):
            other(TAMPERED, context)
        return "first"

    assert handler_on(new_layer(), run, **BY_ORDER)(EVENT, context) == "first"


def test_an_event_that_the_handler_changes_keeps_its_key(new_layer, context):
    runs = []

    def change(event, context):
        runs.append(event.pop("order"))
        return "done"

    for _ in range(2):
        assert handler_on(new_layer(), change, event_key_jmespath="order")(copy.deepcopy(EVENT), context) == "done"
    assert runs == ["8e03978e"]


def test_without_a_key_it_warns_and_runs_each_time(layer, till, context):
    handler = handler_on(layer, till, event_key_jmespath="missing")
    with pytest.warns(UserWarning, match="No idempotency key value found"):
        answers = [handler(EVENT, context)["receipt"] for _ in range(2)]
    assert answers == [1, 2]


def test_without_a_key_it_raises_where_that_is_asked_for(layer, till, context):
    handler = handler_on(layer, till, event_key_jmespath="[missing, too]", raise_on_no_idempotency_key=True)
    with pytest.raises(IdempotencyKeyError, match="No data found"):
        handler(EVENT, context)
    assert till.taken == []


@pytest.mark.parametrize("response", [None, [1, [2, {"three": 3}]], "text", 7, {"deep": {"list": [None, True]}}])
def test_a_response_comes_back_as_it_was(new_layer, context, response):
    runs = []

    def run(event, context):
        runs.append(event)
        return response

    assert [handler_on(new_layer(), run)(EVENT, context) for _ in range(3)] == [response] * 3
    assert len(runs) == 1


def test_a_large_response_is_kept(new_layer, context):
    response = {"lines": ["a line that repeats itself"] * 40_000}
    runs = []

    def run(event, context):
        runs.append(event)
        return response

    assert handler_on(new_layer(), run)(EVENT, context) == handler_on(new_layer(), run)(EVENT, context) == response
    assert len(runs) == 1


def test_a_response_too_large_to_be_kept_is_not_run_for_again(new_layer, till, context):
    noise = os.urandom(500_000).hex()

    def run(event, context):
        till(event, context)
        return noise

    assert handler_on(new_layer(), run)(EVENT, context) == noise
    with pytest.raises(IdempotencyPersistenceLayerError) as raised:
        handler_on(new_layer(), run)(EVENT, context)
    assert isinstance(raised.value.__cause__, ResponseNotKeptError)
    assert len(till.taken) == 1


def test_the_hook_sees_replays_only_with_their_expiry(new_layer, till, context, use_local_cache):
    def hook(response, record):
        return {**response, "until": record.get_expiration_datetime(), "status": record.status}

    config = {"response_hook": hook, "expires_after_seconds": 600, "use_local_cache": use_local_cache}
    began = time.time()
    first = handler_on(new_layer(), till, **config)
    assert first(EVENT, context) == {"receipt": 1, "event": EVENT}
    for handler in (first, handler_on(new_layer(), till, **config)):
        replay = handler(EVENT, context)
        assert replay["status"] == "COMPLETED"
        until = replay["until"].timestamp()
        assert int(began + 600) <= until <= time.time() + 600
        assert replay["until"] == dt.datetime.fromtimestamp(until)  # noqa: DTZ006  naive, as Powertools has it


def test_what_is_known_of_a_payload_can_be_asked_for(new_layer, till, context):
    layer, other = new_layer(), new_layer()
    handler_on(layer, till, **BY_ORDER)(EVENT, context)
    other.configure(IdempotencyConfig(**BY_ORDER), f"{handler_on.__module__}.handler_on.<locals>.handler")
    record = other.get_record(EVENT)
    assert (record.status, record.response_json_as_dict()) == ("COMPLETED", {"receipt": 1, "event": EVENT})
    for unknown in (TAMPERED, {"order": "another", "amount": 100}):
        with pytest.raises(IdempotencyItemNotFoundError):
            other.get_record(unknown)


@pytest.mark.filterwarnings("ignore:Disabling idempotency", category=PowertoolsUserWarning)
def test_disabled_by_powertools_variable_it_runs_each_time(layer, till, context, monkeypatch):
    monkeypatch.setenv("POWERTOOLS_IDEMPOTENCY_DISABLED", "true")
    handler = handler_on(layer, till)
    assert [handler(EVENT, context)["receipt"] for _ in range(2)] == [1, 2]


class Durable:
    """As the durable SDK's context: it has run so many operations of this execution before."""

    def __init__(self, lambda_context, operations):
        self.lambda_context = lambda_context
        self.state = type("State", (), {"operations": [object()] * operations})


def test_a_durable_execution_resumed_during_its_claim_cannot_complete_it(new_layer, till, context):
    """Powertools runs it without a claim; without a fence it isn't let near the record that it didn't make."""
    other = handler_on(new_layer(), till)

    def run(event, context):
        with pytest.raises(IdempotencyPersistenceLayerError, match="holds no claim"):
            other(EVENT, Durable(context.lambda_context, operations=2))
        return "first"

    assert handler_on(new_layer(), run)(EVENT, Durable(context, operations=1)) == "first"
    assert other(EVENT, context) == "first"

"""The documented examples of Powertools' idempotency: the persistence layer is what changes."""

from dataclasses import dataclass
from typing import Any

import pytest
from aws_lambda_powertools.utilities.idempotency import IdempotencyConfig, idempotent, idempotent_function
from aws_lambda_powertools.utilities.idempotency.exceptions import (
    IdempotencyKeyError,
    IdempotencyValidationError,
)

from tests.docs.migrating.documented import Documented
from tests.harness.lambda_events import LambdaContext
from tidegate import Settings
from tidegate.powertools import TidegatePersistenceLayer


def handled(settings: Settings, *events: dict[str, Any], prefix: str | None = None, **config: Any) -> list[Any]:
    """What a handler that counts its runs returns for these events."""
    runs: list[Any] = []

    def pay(event: dict[str, Any], context: Any) -> dict[str, Any]:
        runs.append(event)
        if event.get("fails"):
            raise RuntimeError("no payment")
        return {"run": len(runs)}

    layer = TidegatePersistenceLayer(settings)
    handler = idempotent(pay, persistence_store=layer, config=IdempotencyConfig(**config), key_prefix=prefix)
    return [handler(event, LambdaContext()) for event in events]


def whole_event(settings: Settings) -> None:
    assert handled(settings, {"id": 1}, {"id": 1}, {"id": 2}) == [{"run": 1}, {"run": 1}, {"run": 2}]


def subset(settings: Settings) -> None:
    events = [{"order": 1, "at": 1}, {"order": 1, "at": 2}]
    assert handled(settings, *events, event_key_jmespath="order") == [{"run": 1}] * 2


def composite(settings: Settings) -> None:
    events = [{"a": 1, "b": 1, "at": 1}, {"a": 1, "b": 1, "at": 2}, {"a": 1, "b": 2, "at": 2}]
    assert handled(settings, *events, event_key_jmespath="[a, b]")[1:] == [{"run": 1}, {"run": 2}]


def validated(settings: Settings) -> None:
    how = {"event_key_jmespath": "order", "payload_validation_jmespath": "amount"}
    with pytest.raises(IdempotencyValidationError):
        handled(settings, {"order": 1, "amount": 1}, {"order": 1, "amount": 2}, **how)


def key_required(settings: Settings) -> None:
    with pytest.raises(IdempotencyKeyError):
        handled(settings, {"x": 1}, event_key_jmespath="order", raise_on_no_idempotency_key=True)


def local_cache(settings: Settings) -> None:
    assert handled(settings, {"id": 1}, {"id": 1}, use_local_cache=True) == [{"run": 1}] * 2


def expires(settings: Settings) -> None:
    assert handled(settings, {"id": 1}, {"id": 1}, expires_after_seconds=300) == [{"run": 1}] * 2


def prefixed(settings: Settings) -> None:
    assert handled(settings, {"id": 1}, {"id": 1}, prefix="mine") == [{"run": 1}] * 2


def hooked(settings: Settings) -> None:
    def hook(response: Any, record: Any) -> Any:
        return {**response, "replayed": True}

    assert handled(settings, {"id": 1}, {"id": 1}, response_hook=hook)[1] == {"run": 1, "replayed": True}


def raised(settings: Settings) -> None:
    with pytest.raises(RuntimeError):
        handled(settings, {"id": 1, "fails": True})


@dataclass
class Order:
    """An order, as the documented example has it."""

    number: int


def function(settings: Settings) -> None:
    runs: list[Order] = []

    def process(order: Order) -> int:
        runs.append(order)
        return len(runs)

    layer = TidegatePersistenceLayer(settings)
    config = IdempotencyConfig(event_key_jmespath="number")
    config.register_lambda_context(LambdaContext())
    guarded = idempotent_function(process, data_keyword_argument="order", persistence_store=layer, config=config)
    assert [guarded(order=Order(1)), guarded(order=Order(1)), guarded(order=Order(2))] == [1, 1, 2]


CLAIMS = [
    Documented(peer="powertools", shows="getting started", rewritten=whole_event),
    Documented(peer="powertools", shows="a subset of the payload", rewritten=subset),
    Documented(peer="powertools", shows="a composite key", rewritten=composite),
    Documented(peer="powertools", shows="validation of the payload", rewritten=validated),
    Documented(peer="powertools", shows="a key is required", rewritten=key_required),
    Documented(peer="powertools", shows="a local cache", rewritten=local_cache),
    Documented(peer="powertools", shows="expiry of records", rewritten=expires),
    Documented(peer="powertools", shows="a prefix of keys", rewritten=prefixed),
    Documented(peer="powertools", shows="a response hook", rewritten=hooked),
    Documented(peer="powertools", shows="exceptions", rewritten=raised),
    Documented(peer="powertools", shows="idempotent_function with a dataclass", rewritten=function),
]

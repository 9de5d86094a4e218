"""What Powertools promises of `@idempotent_function`, nested calls and one layer in many threads included."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from decimal import Decimal
from threading import Barrier

import pytest
from aws_lambda_powertools.utilities.idempotency import IdempotencyConfig, idempotent, idempotent_function
from aws_lambda_powertools.utilities.idempotency.exceptions import (
    IdempotencyAlreadyInProgressError,
    IdempotencyPersistenceLayerError,
)
from aws_lambda_powertools.utilities.idempotency.serialization.custom_dict import CustomDictSerializer
from aws_lambda_powertools.utilities.idempotency.serialization.dataclass import DataclassSerializer
from aws_lambda_powertools.utilities.idempotency.serialization.pydantic import PydanticSerializer
from pydantic import BaseModel

from tests.harness.lambda_events import LambdaContext


def once(layer, **options):
    """The decorator, with a context that says how long the run may take."""
    config = options.pop("config", {})
    return idempotent_function(
        data_keyword_argument="order",
        persistence_store=layer,
        config=IdempotencyConfig(lambda_context=LambdaContext(), **config),
        **options,
    )


@dataclass
class Order:
    id: str
    amount: Decimal


@dataclass
class Receipt:
    id: str
    paid: str


class PaidOrder(BaseModel):
    id: str
    amount: Decimal


def pay_as_dataclass(order: Order) -> Receipt:
    return Receipt(order.id, str(order.amount))


def pay_as_model(order: PaidOrder) -> PaidOrder:
    return PaidOrder(id=order.id, amount=order.amount + 1)


@pytest.mark.parametrize(
    ("function", "order", "serializer", "paid"),
    [
        (pay_as_dataclass, Order("a", Decimal("1.10")), DataclassSerializer, Receipt("a", "1.10")),
        (pay_as_dataclass, Order("a", Decimal("1.10")), DataclassSerializer(model=Receipt), Receipt("a", "1.10")),
        (
            pay_as_model,
            PaidOrder(id="a", amount=Decimal("1.10")),
            PydanticSerializer,
            PaidOrder(id="a", amount=Decimal("2.10")),
        ),
        (
            pay_as_dataclass,
            Order("a", Decimal("1.10")),
            CustomDictSerializer(to_dict=asdict, from_dict=lambda data: Receipt(**data)),
            Receipt("a", "1.10"),
        ),
    ],
    ids=["dataclass", "dataclass by name", "pydantic", "custom"],
)
def test_responses_come_back_in_their_own_types(new_layer, function, order, serializer, paid):
    runs = []

    def counted(order):
        runs.append(order)
        return function(order)

    counted.__annotations__ = function.__annotations__
    for _ in range(2):
        assert once(new_layer(), output_serializer=serializer)(counted)(order=order) == paid
    assert len(runs) == 1


def test_decimals_come_back_as_the_text_that_powertools_stores(new_layer):
    def price(order):
        return {"price": Decimal("1.10"), "lines": [Decimal(2)]}

    assert once(new_layer())(price)(order="a") == {"price": Decimal("1.10"), "lines": [Decimal(2)]}
    assert once(new_layer())(price)(order="a") == {"price": "1.10", "lines": ["2"]}


def test_two_functions_with_the_same_payload_are_two_keys(layer):
    @once(layer)
    def reserve(order):
        return "reserved"

    @once(layer)
    def charge(order):
        return "charged"

    assert [reserve(order="a"), charge(order="a")] * 2 == [reserve(order="a"), charge(order="a")] * 2
    assert (reserve(order="a"), charge(order="a")) == ("reserved", "charged")


def test_a_prefix_of_ones_own_makes_them_one(layer):
    runs = []

    def run(name):
        @once(layer, key_prefix="orders")
        def function(order):
            runs.append(name)
            return name

        return function

    assert [run("one")(order="a"), run("two")(order="a")] == ["one", "one"]
    assert runs == ["one"]


class Shop:
    """A handler that calls idempotent functions, all on one layer."""

    def __init__(self, layer, *, same_payload):
        self.runs = []

        @once(layer)
        def inner(order):
            self.runs.append("inner")
            return f"inner of {order}"

        @once(layer)
        def outer(order):
            self.runs.append("outer")
            return f"outer with {inner(order=order if same_payload else order + '/1')}"

        @idempotent(persistence_store=layer, config=IdempotencyConfig())
        def handler(event, context):
            self.runs.append("handler")
            return [outer(order=event if same_payload else event + "/0"), inner(order=event)]

        self.handler, self.outer, self.inner = handler, outer, inner


@pytest.mark.parametrize("same_payload", [True, False])
def test_nested_functions_complete_their_own_records(new_layer, same_payload):
    first, again = Shop(new_layer(), same_payload=same_payload), Shop(new_layer(), same_payload=same_payload)
    answer = first.handler("a", LambdaContext())
    ran = ["handler", "outer", "inner"] + ([] if same_payload else ["inner"])
    assert first.runs == ran
    assert again.handler("a", LambdaContext()) == answer
    assert again.outer(order="a" if same_payload else "a/0") == answer[0]
    assert again.inner(order="a") == answer[1] == "inner of a"
    assert again.runs == []


def test_a_nested_function_that_fails_gives_its_own_key_up_and_no_other(new_layer):
    runs = []

    def shop(layer):
        @once(layer)
        def inner(order):
            runs.append("inner")
            raise ValueError(order)

        @once(layer)
        def outer(order):
            runs.append("outer")
            with pytest.raises(ValueError, match="a/1"):
                inner(order=order + "/1")
            return "done without"

        return outer, inner

    outer, _ = shop(new_layer())
    again, inner = shop(new_layer())
    assert [outer(order="a"), again(order="a")] == ["done without"] * 2
    with pytest.raises(ValueError, match="a/1"):
        inner(order="a/1")
    assert runs == ["outer", "inner", "inner"]


def test_a_nested_function_whose_response_can_not_be_stored_does_not_disturb_the_outer_one(new_layer):
    runs = []

    def shop(layer):
        @once(layer, output_serializer=CustomDictSerializer(to_dict=lambda data: 1 / 0, from_dict=dict))
        def inner(order):
            return "not to be stored"

        @once(layer)
        def outer(order):
            runs.append(order)
            with pytest.raises(IdempotencyPersistenceLayerError):
                inner(order=order + "/1")
            return "done"

        return outer

    assert [shop(new_layer())(order="a") for _ in range(2)] == ["done"] * 2
    assert runs == ["a"]


@pytest.mark.parametrize("cached", [0, 1, 1000])
def test_one_layer_in_many_threads_runs_each_key_once_and_mixes_nothing_up(layer, cached):
    callers, orders = 16, [f"order-{n}" for n in range(6)]
    runs, together = [], Barrier(callers)
    config = {"use_local_cache": bool(cached), "local_cache_max_items": cached}

    def function_called(name):
        def function(order):
            runs.append((name, order))
            return f"{name} {order}"

        function.__qualname__ = name
        return once(layer, config=config)(function)

    functions = {name: function_called(name) for name in ("reserve", "charge")}

    def everything(_):
        together.wait(20)
        return [until_answered(functions[name], order) for order in orders for name in functions]

    with ThreadPoolExecutor(callers) as threads:
        answers = list(threads.map(everything, range(callers)))
    assert answers == [[f"{name} {order}" for order in orders for name in functions]] * callers
    assert sorted(runs) == sorted((name, order) for name in functions for order in orders)


def until_answered(function, order):
    while True:
        try:
            return function(order=order)
        except IdempotencyAlreadyInProgressError:
            continue

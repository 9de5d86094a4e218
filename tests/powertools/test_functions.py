"""What Powertools promises of `@idempotent_function`, nested calls and one layer in many threads included."""

import sys
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass
from decimal import Decimal
from threading import Barrier, Event

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

pytestmark = pytest.mark.slow


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

    def __init__(self, layer, *, same_payload, **config):
        self.runs = []

        @once(layer, config=config)
        def inner(order):
            self.runs.append("inner")
            return f"inner of {order}"

        @once(layer, config=config)
        def outer(order):
            self.runs.append("outer")
            return f"outer with {inner(order=order if same_payload else order + '/1')}"

        @idempotent(persistence_store=layer, config=IdempotencyConfig(**config))
        def handler(event, context):
            self.runs.append("handler")
            return [outer(order=event if same_payload else event + "/0"), inner(order=event)]

        self.handler, self.outer, self.inner = handler, outer, inner


@pytest.mark.parametrize("use_local_cache", [False, True])
@pytest.mark.parametrize("same_payload", [True, False])
def test_nested_functions_complete_their_own_records(new_layer, same_payload, use_local_cache):
    layers = [new_layer(), new_layer()]
    first, same, other = (
        Shop(layer, same_payload=same_payload, use_local_cache=use_local_cache)
        for layer in (layers[0], layers[0], layers[1])
    )
    answer = first.handler("a", LambdaContext())
    ran = ["handler", "outer", "inner"] + ([] if same_payload else ["inner"])
    assert first.runs == ran
    for again in (same, other):
        assert again.inner(order="a") == answer[1] == "inner of a"
        assert again.outer(order="a" if same_payload else "a/0") == answer[0]
        assert again.handler("a", LambdaContext()) == answer
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


def test_a_nested_functions_unstorable_response_leaves_the_outer_one_alone(new_layer):
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


def test_runs_that_overlap_in_two_threads_complete_their_own_records(new_layer):
    layer, other = new_layer(), new_layer()
    charging, reserved = Event(), Event()

    def pair(layer, *, overlap):
        @once(layer)
        def reserve(order):
            assert not overlap or charging.wait(20)
            return "reserved"

        @once(layer)
        def charge(order):
            charging.set()
            assert not overlap or reserved.wait(20)
            return "charged"

        return reserve, charge

    reserve, charge = pair(layer, overlap=True)
    with ThreadPoolExecutor(2) as threads:
        answers = [threads.submit(reserve, order="a")]
        answers.append(threads.submit(charge, order="a"))
        answers[0].result(20)
        reserved.set()
        assert [answer.result(20) for answer in answers] == ["reserved", "charged"]
    assert [function(order="a") for function in pair(other, overlap=False)] == ["reserved", "charged"]


def test_a_thread_is_configured_for_its_own_function(layer):
    layer.configure(IdempotencyConfig(), key_prefix="mine")
    with ThreadPoolExecutor(1) as thread:
        thread.submit(layer.configure, IdempotencyConfig(), key_prefix="another's").result(20)
    assert layer.function_name == "mine"


class SlowConfig(IdempotencyConfig):
    """Half-way through being read, it lets another thread try to call."""

    meanwhile = staticmethod(lambda: None)

    def __getattribute__(self, name):
        if name == "event_key_jmespath":
            object.__getattribute__(self, "meanwhile")()
        return object.__getattribute__(self, name)


def test_nobody_calls_with_half_a_configuration(layer, till, context):
    config = SlowConfig(event_key_jmespath="order")

    @idempotent(persistence_store=layer, config=config)
    def handler(event, context):
        return till(event, context)

    def call(trace):
        return until_answered(lambda order: handler(order, context), {"order": "a", "trace": trace})

    with ThreadPoolExecutor(1) as thread:

        def let_another_try():
            config.meanwhile = lambda: None
            # It can't end yet; where it could, it would have made another key of its event.
            answers.append(thread.submit(call, 2))
            wait(answers, timeout=0.2)

        answers = []
        config.meanwhile = let_another_try
        assert call(1) == answers[0].result(20)
    assert len(till.taken) == 1


@pytest.fixture
def _eager_threads():
    """Threads give way to each other as often as they can."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


@pytest.mark.usefixtures("_eager_threads")
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

"""What a route may ask for, and how it is told of a mistake."""

import asyncio
import dataclasses
import functools
import inspect
import pickle

import httpx
import pytest
from fastapi import FastAPI

from tests.unit import postponed_annotations
from tidegate import ConfigurationError, Policy, Settings, TokenBucket, policy, protect
from tidegate.enforcement import Execution, execution
from tidegate.errors import UnguardedError
from tidegate.limits.token_bucket import Bucket
from tidegate.policy import policy_of


def test_a_token_bucket_is_read_from_its_rate():
    limit = TokenBucket("20/s", burst=40)
    assert limit.bucket == Bucket(interval_us=50_000, burst=40)
    assert limit.cost == 1


def test_the_burst_is_the_rates_count_if_left_out():
    assert TokenBucket("5/min").bucket.burst == 5


@pytest.mark.parametrize(
    ("rate", "options", "argument", "advice"),
    [
        ("fast", {}, "rate", "write a count and a period"),
        ("10/fortnight", {}, "rate", "write a number and a unit"),
        ("9000000/s", {}, "rate", "write at most"),
        ("1/s", {"burst": 0}, "burst", "write 1 or more"),
        ("1/s", {"burst": -5}, "burst", "write 1 or more"),
        ("1/s", {"cost": 0}, "cost", "write 1 or more"),
        ("1/s", {"name": ""}, "name", "write printable ASCII"),
        ("1/s", {"name": "täglich"}, "name", "write printable ASCII"),
        ("1/s", {"name": "a\nb"}, "name", "write printable ASCII"),
    ],
)
def test_a_wrong_argument_of_a_limit_is_named_with_what_to_write(rate, options, argument, advice):
    with pytest.raises(ConfigurationError, match=advice) as raised:
        TokenBucket(rate, **options)
    assert raised.value.name == f"TokenBucket({argument}=…)"


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"priority": "urgent"}, "policy(priority=…)"),
        ({"on_outage": "panic"}, "policy(on_outage=…)"),
        ({"claims": "postgres"}, "policy(claims=…)"),
        ({"lifetime": "long"}, "policy(lifetime=…)"),
        ({"limits": [TokenBucket("1/s"), TokenBucket("1/s", burst=9)]}, "policy(limits=…)"),
        ({"limits": [TokenBucket("1/s", name="a"), TokenBucket("2/s", name="a")]}, "policy(limits=…)"),
    ],
)
@pytest.mark.parametrize("declare", [Policy, policy])
def test_a_wrong_argument_of_a_policy_is_named(declare, arguments, name):
    with pytest.raises(ConfigurationError) as raised:
        declare(**arguments)
    assert raised.value.name == name
    assert str(raised.value).startswith(f"{name}: ")


def test_an_unknown_choice_is_answered_with_the_choices():
    with pytest.raises(ConfigurationError, match=r"'urgent' is unknown; write one of .*critical.*normal.*sheddable"):
        Policy(priority="urgent")


def test_a_limit_is_called_by_its_name_or_else_its_rate():
    assert TokenBucket("20/s").label == "20/s"
    assert TokenBucket("20/s", name="writes").label == "writes"


def test_policies_are_frozen_and_can_be_told_apart_and_sent():
    one = Policy(limits=[TokenBucket("1/s")])
    assert one == Policy(limits=(TokenBucket("1/s"),))
    assert pickle.loads(pickle.dumps(one)) == one
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.priority = "critical"


def test_only_a_policy_with_limits_or_claims_asks_a_store():
    assert Policy().asks_nothing
    assert not Policy(limits=[TokenBucket("1/s")]).asks_nothing
    assert not Policy(idempotent=True).asks_nothing


def test_an_endpoint_without_the_decorator_declares_nothing():
    assert policy_of(lambda: None) is None


def test_a_policy_is_found_on_the_handler_and_on_what_it_wraps():
    def handler() -> None: ...

    decorated = policy(limits=[TokenBucket("1/s")])(handler)
    assert decorated.__wrapped__ is handler
    assert policy_of(handler) == policy_of(decorated) == Policy(limits=[TokenBucket("1/s")])


def test_a_policy_is_found_on_what_a_callable_runs():
    class Handler:
        @policy(limits=[TokenBucket("1/s")])
        def __call__(self) -> None: ...

        @policy(limits=[TokenBucket("2/s")])
        def method(self, number: int) -> None: ...

    asked = [policy_of(each) for each in (Handler(), Handler().method, functools.partial(Handler().method, 1))]
    assert asked == [Policy(limits=[TokenBucket(rate)]) for rate in ("1/s", "2/s", "2/s")]


def test_two_policies_on_one_handler_and_one_on_a_class_are_refused():
    with pytest.raises(ConfigurationError, match="it has a policy already"):
        policy(idempotent=True)(policy(limits=[TokenBucket("1/s")])(lambda: None))
    with pytest.raises(ConfigurationError, match="write it on the class's methods"):
        policy(limits=[TokenBucket("1/s")])(type("Endpoint", (), {}))


@pytest.mark.parametrize("name", ["send_now", "send_later"])
def test_an_idempotent_handler_keeps_its_name_its_doc_and_its_signature(name):
    handler = getattr(postponed_annotations, name)
    assert handler.__name__ == name
    assert handler.__doc__ == "Sends a parcel."
    assert list(inspect.signature(handler).parameters) == ["depot", "parcel"]
    assert inspect.iscoroutinefunction(handler) == (name == "send_later")
    assert policy_of(handler) == Policy(idempotent=True)


@pytest.mark.anyio
@pytest.mark.parametrize("name", ["send_now", "send_later"])
async def test_fastapi_resolves_an_idempotent_handlers_postponed_annotations(name):
    app = FastAPI()
    app.post("/depots/{depot}")(getattr(postponed_annotations, name))
    gate = protect(app, settings=Settings(memory_only=True))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://shop") as client:
        right = await client.post("/depots/7", json={"weight_g": 400}, headers={"idempotency-key": "a"})
        wrong = await client.post("/depots/7", json={"weight_g": "heavy"}, headers={"idempotency-key": "b"})
    gate.close()
    assert (right.json(), wrong.status_code) == ({"weight_g": 407}, 422)
    assert "Parcel" in str(app.openapi()["paths"]["/depots/{depot}"])


def test_a_generator_has_no_one_answer_and_is_refused():
    def stream():
        yield b""

    async def astream():
        yield b""

    class Streaming:
        async def __call__(self):
            yield b""

    for endpoint in (stream, astream, Streaming(), functools.partial(stream)):
        with pytest.raises(ConfigurationError, match="return it whole") as raised:
            policy(idempotent=True)(endpoint)
        assert getattr(endpoint, "__qualname__", repr(endpoint)) in raised.value.name


@pytest.mark.parametrize("colour", ["def", "async def"])
def test_an_idempotent_handler_says_when_its_own_code_begins(colour):
    declare = policy(idempotent=True)
    begun = Execution(policy_of(declare(lambda: None)))
    seen = []

    def handler() -> str:
        seen.append(begun.begun)
        return "done"

    async def ahandler() -> str:
        return handler()

    token = execution.set(begun)
    try:
        decorated = declare(handler if colour == "def" else ahandler)
        assert not begun.begun
        result = decorated()
        assert (result if colour == "def" else asyncio.run(result)) == "done"
    finally:
        execution.reset(token)
    assert seen == [True]


def test_a_handler_with_claims_that_nothing_guards_does_not_run():
    runs = []
    handler = policy(idempotent=True)(lambda: runs.append(1))
    with pytest.raises(UnguardedError, match="protect"):
        handler()
    assert not runs
    handler.__wrapped__()
    assert runs


def test_a_handler_with_limits_that_nothing_guards_says_so_once(caplog):
    handler = policy(limits=[TokenBucket("1/s")])(lambda: 7)
    with caplog.at_level("WARNING"):
        assert [handler(), handler()] == [7, 7]
    assert [record.message for record in caplog.records].count("a policy isn't in force") == 1

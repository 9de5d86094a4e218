"""What an environment is composed of, and when."""

import threading

import pytest

from tidegate import ConfigurationError, Settings
from tidegate.blocking import BlockingRunner
from tidegate.compose import Lifecycle, compose
from tidegate.idempotency.dynamodb import DynamoClaims
from tidegate.idempotency.lazy_claims import LazyClaims
from tidegate.idempotency.memory import MemoryClaims

REDIS, TABLE = {"redis_url": "redis://localhost:1/0"}, {"table": "claims"}


@pytest.mark.parametrize(
    ("settings", "chain", "claims"),
    [
        (REDIS | TABLE, ["redis", "dynamodb"], LazyClaims),
        (REDIS, ["redis"], type(None)),
        (TABLE, ["dynamodb"], LazyClaims),
        ({"memory_only": True}, [], MemoryClaims),
    ],
)
def test_the_settings_say_which_stores_there_are(settings, chain, claims):
    environment = compose(Settings(**settings))
    assert [state.name for state in environment.stores.states] == chain
    assert {state.state for state in environment.stores.states} <= {"untried"}
    assert isinstance(environment.claims, claims)


def test_an_environment_is_made_once_however_many_ask_at_once():
    read = []

    def settings() -> Settings:
        read.append(1)
        return Settings(memory_only=True)

    lifecycle, barrier, found = Lifecycle(settings), threading.Barrier(8), []

    def ask() -> None:
        barrier.wait()
        found.append(lifecycle.environment)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(read) == 1
    assert len({id(environment) for environment in found}) == 1


def test_settings_that_were_wrong_are_read_again():
    answers = [None, Settings(memory_only=True)]

    def settings() -> Settings:
        answer = answers.pop(0)
        if answer is None:
            raise ConfigurationError("TIDEGATE_REDIS_URL", "wrong")
        return answer

    lifecycle = Lifecycle(settings)
    with pytest.raises(ConfigurationError):
        _ = lifecycle.environment
    assert lifecycle.environment.settings.memory_only


def test_a_store_that_is_down_at_start_is_known_before_the_first_decision():
    environment = Lifecycle(lambda: Settings(**REDIS)).environment
    [state] = environment.stores.states
    assert (state.state, state.fault) == ("failing", "refused")


@pytest.mark.anyio
async def test_on_lambda_a_call_blocks_its_own_thread_and_elsewhere_one_of_many():
    here = threading.get_ident()
    assert await BlockingRunner(inline=True)(threading.get_ident) == here
    assert await BlockingRunner(inline=False)(threading.get_ident) != here


def test_closing_before_anything_was_made_does_nothing():
    Lifecycle(lambda: Settings(memory_only=True)).close()


def test_what_dynamodb_is_used_for_is_not_composed_before_it_is_needed():
    environment = compose(Settings(**REDIS | TABLE))
    assert environment.table.made is None
    assert environment.claims.table == "claims"
    assert isinstance(environment.table().claims, DynamoClaims)
    assert environment.table() is environment.table.made
    assert environment.stores.states[1] == environment.table.made.handle.state
    environment.stores.close()


def test_closing_ends_preparations_and_the_next_request_begins_them_anew(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    lifecycle = Lifecycle(lambda: Settings(**TABLE))
    before = set(threading.enumerate())
    _ = lifecycle.environment
    for _ in range(2):
        lifecycle.after_request()
        lifecycle.after_request()
        assert [each.name for each in threading.enumerate()].count("tidegate-warm") == 1
        lifecycle.close()
        left = {each.name.partition("_")[0] for each in set(threading.enumerate()) - before}
        assert not left & {"tidegate-warm", "tidegate-overrides", "tidegate-background"}

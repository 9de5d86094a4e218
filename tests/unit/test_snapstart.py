"""Environments that begin as copies of one: each is itself."""

import random
import sys
import types

import pytest

from tidegate import Settings
from tidegate.aws_lambda import signals
from tidegate.compose import Lifecycle


@pytest.fixture
def runtime(monkeypatch):
    """Lambda's registry of hooks, as its runtime calls them."""
    hooks = {"before": [], "after": []}
    module = types.ModuleType("snapshot_restore_py")
    module.register_before_snapshot = hooks["before"].append
    module.register_after_restore = hooks["after"].append
    monkeypatch.setitem(sys.modules, "snapshot_restore_py", module)
    return hooks


@pytest.fixture
def lifecycle(redis_url):
    made = Lifecycle(lambda: Settings(redis_url=redis_url, decision_budget_ms=3000, counted_as=("shop", "7")))
    yield made
    made.close()


def names(lifecycle):
    environment = lifecycle.environment
    return environment.stores._handles[0].store._environment_id, environment.outcomes.tally.environment


def test_a_copy_has_names_and_random_numbers_of_its_own(lifecycle, runtime):
    before = names(lifecycle)
    signals.register(lifecycle)
    state = random.getstate()
    for hook in (*runtime["before"], *runtime["after"]):
        hook()
    assert not set(names(lifecycle)) & set(before)
    assert random.getstate() != state


def test_no_connection_is_in_the_snapshot(lifecycle, runtime, redis_server):
    assert lifecycle.environment.stores.states[0].state == "ready"
    signals.register(lifecycle)
    [before], [after] = runtime["before"], runtime["after"]
    before()
    assert lifecycle.environment.stores._handles[0].store._transport._node._idle == []
    after()
    assert lifecycle.environment.stores.states[0].state == "ready"


def test_a_runtime_without_hooks_is_said(lifecycle, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "snapshot_restore_py", None)
    signals.register(lifecycle)
    assert lifecycle.environment.stores.states[0].state == "ready"

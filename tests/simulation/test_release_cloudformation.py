"""Whatever CloudFormation does around a release, it is answered, and the aliases end where the stack believes them."""

from __future__ import annotations

import json
import urllib.request
import uuid
from contextlib import ExitStack
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import boto3
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from functions.rollout import begin, clock, cloudformation, states
from functions.rollout.aliases import Aliases
from functions.rollout.ledger import Ledger
from functions.rollout.parts import Parts
from tests.harness import dynamodb_within
from tests.harness.dynamodb_within import DynamoWithin
from tests.model.release_programs import inside
from tests.model.release_traces import BEGINS, ENDS, Sighting, first_refused
from tests.simulation.release_account import Account
from tests.simulation.release_cloudformation import Stack, Weather
from tests.simulation.release_timeline import Timeline
from tidegate_cdk.release_machine import definition

FUNCTIONS = ("shop-api", "shop-worker")
STEPS = [[10, 2, 4, "advance"], [50, 2, 4, "advance"]]
WAY = {"Way": json.dumps({"steps": STEPS, "look_s": 2, "warm": 1, "keep": 2, "hold_s": 60, "replay_per_s": 0})}


@pytest.fixture(scope="module")
def table():
    within = DynamoWithin()
    credentials = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    resource = boto3.resource("dynamodb", endpoint_url="http://within.invalid", region_name="us-east-1", **credentials)
    resource.meta.client.meta.events.register("before-send.dynamodb", dynamodb_within._answer)
    return resource.Table(within.create_library_table())


class World:
    """A stack, the account that it is in, and the controller's own code between them."""

    def __init__(self, table: Any, opened: ExitStack) -> None:
        self.timeline = Timeline()
        self.account = Account(self.timeline, table)
        self.stack = Stack(self.timeline, self.account, FUNCTIONS, WAY)
        self.ledger = Ledger(table, uuid.uuid4().hex)
        parts = Parts(Aliases(self.account, "live"), self.ledger, self.account, self.account, None)
        web = SimpleNamespace(Request=urllib.request.Request, urlopen=self.stack.put)
        for where, name, double in (
            (clock, "time", self.timeline),
            (begin, "parts", lambda _: parts),
            (states, "parts", lambda _: parts),
            (begin, "client", self.account.client),
            (cloudformation, "urllib", SimpleNamespace(request=web)),
        ):
            opened.enter_context(patch.object(where, name, double))

    def come_to_rest(self) -> None:
        """Let every machine end, and everything late come; then nothing is open, and every alias is the stack's."""
        self.timeline.run(lambda: False)
        assert not self.account.runs
        assert not self.account.died
        assert not self.ledger.read() or not self.ledger.read().running
        expected = {name: (version, {}) for name, version in (self.stack.versions or {}).items()}
        assert self.account.aliases == expected
        for name, (version, _) in expected.items():
            assert version in self.account.versions[name]
        for asked in self.stack.requests.values():
            # Of a request that nobody waits for any more a repetition may tell something else.
            heard = asked.all if asked.event["RequestType"] != "Delete" else []
            assert len(set(heard)) <= 1 or asked.reason == "Resource update cancelled.", (asked.event, heard)
            assert asked.reason != "No response in an hour.", asked.event


@pytest.fixture
def world(table):
    with ExitStack() as opened:
        yield World(table, opened)


def created(world: World) -> None:
    assert world.stack.create(Weather(), bad=False)
    world.come_to_rest()


def last(world: World):
    return list(world.stack.requests.values())[-1]


def test_a_stack_is_created_updated_and_deleted(world):
    created(world)
    assert world.stack.update(Weather(), bad=False)
    world.come_to_rest()
    assert world.account.aliases == dict.fromkeys(FUNCTIONS, ("2", {}))
    world.stack.delete()
    world.come_to_rest()


@pytest.mark.parametrize("bad", [False, True])
def test_what_the_machine_of_an_update_did_the_model_does_too(world, bad):
    created(world)
    begun = set(world.account.entered)
    world.stack.update(Weather(), bad=bad)
    world.come_to_rest()
    [did] = [did for id_, did in world.account.entered.items() if id_ not in begun]
    works = definition("rollout", "rollout")["States"]
    seen = [Sighting.of(name, document) for name, document in did if works[name]["Type"] in {"Task", "Map"}]
    with inside():
        assert first_refused([BEGINS, *seen, ENDS], [percent for percent, *_ in STEPS]) is None


def test_a_bad_version_leaves_the_one_before(world):
    created(world)
    assert not world.stack.update(Weather(), bad=True)
    world.come_to_rest()
    assert "Not ready." in list(world.stack.requests.values())[1].reason
    assert world.stack.update(Weather(), bad=False)
    world.come_to_rest()


def test_a_first_create_that_fails_leaves_nothing_in_the_way(world):
    assert not world.stack.create(Weather(), bad=True)
    world.come_to_rest()
    created(world)


def test_a_promotion_is_taken_back_if_another_resource_fails(world):
    created(world)
    assert not world.stack.update(Weather(fails_after=True), bad=False)
    world.come_to_rest()
    assert "is back at version 1" in last(world).reason


@pytest.mark.parametrize("cancel_s", [0.01, 0.5, 3, 6, 9])
def test_a_cancelled_update_goes_back_whenever_it_is_cancelled(world, cancel_s):
    created(world)
    assert not world.stack.update(Weather(cancel_s=cancel_s), bad=False)
    world.come_to_rest()


@pytest.mark.parametrize("granted_after_s", [5, 70])
def test_a_role_that_is_new_delays_a_release_and_fails_none(world, granted_after_s):
    world.account.granted_s = world.timeline.time() + granted_after_s
    created(world)


def test_a_role_that_is_never_granted_is_answered_in_its_minutes(world):
    created(world)
    began = world.timeline.time()
    world.account.granted_s = began + 1000
    world.stack._ask("Update", world.stack._published(bad=False), world.stack.versions, Weather())
    assert last(world).status == "FAILED"
    assert "AccessDenied" in last(world).reason
    assert world.timeline.time() - began < 120


@pytest.mark.parametrize("refused", [1, 4, 12])
def test_an_answer_that_is_refused_is_given_again(world, refused):
    created(world)
    for bad in (True, False):
        assert world.stack.update(Weather(refused=refused), bad=bad) is not bad
        world.come_to_rest()


def test_an_alias_that_somebody_deleted_is_made_again(world):
    created(world)
    for name in FUNCTIONS:
        del world.account.aliases[name]
        assert not world.stack.update(Weather(), bad=True)
        world.come_to_rest()


def test_the_versions_that_are_kept_are_bounded(world):
    created(world)
    for _ in range(5):
        assert world.stack.update(Weather(), bad=False)
        world.come_to_rest()
    assert all(len(versions) <= 3 for versions in world.account.versions.values()), world.account.versions


SECONDS = st.floats(0.01, 300)
WEATHER = st.builds(
    Weather,
    again_s=st.lists(SECONDS, max_size=2).map(tuple),
    refused=st.sampled_from([0, 0, 0, 1, 6]),
    cancel_s=st.none() | st.floats(0.01, 30),
    fails_after=st.booleans(),
)
ACTS = st.lists(
    st.tuples(st.sampled_from(["update", "update", "update", "delete"]), WEATHER, st.booleans(), st.booleans()),
    min_size=1,
    max_size=4,
)


@settings(max_examples=15)
@given(acts=ACTS, granted_after_s=st.sampled_from([0, 0, 30]))
def test_every_history_ends_where_the_stack_believes(table, acts, granted_after_s):
    with ExitStack() as opened:
        world = World(table, opened)
        for act, weather, bad, rest in acts:
            world.account.granted_s = world.timeline.time() + granted_after_s
            if world.stack.versions is None:
                world.stack.create(weather, bad=bad)
            elif act == "delete":
                world.stack.delete(weather=weather)
            else:
                world.stack.update(weather, bad=bad)
            if rest or world.stack.versions is None:
                world.come_to_rest()
        world.come_to_rest()

"""The hook that CodeDeploy asks before it shifts any traffic, and what it is told."""

from __future__ import annotations

import io
import json
from types import SimpleNamespace

import boto3
import pytest
from botocore.stub import Stubber

from functions.rollout import codedeploy, smoke
from functions.rollout.order import Order
from functions.rollout.smoke import Smoke

SMOKE = '[{"path": "/health/ready", "status": 200}, {"path": "/books/no-such-book", "status": 404}]'
PROPERTIES = {
    "Namespace": "test",
    "Alias": "live",
    "Targets": [
        {"Name": "shop-api", "Version": "7", "Serves": "http", "Smoke": SMOKE},
        {"Name": "shop-worker", "Version": "5", "Serves": "queue"},
    ],
    "Way": json.dumps({"steps": [[10, 60, 300, "advance"]], "look_s": 10, "warm": 2, "keep": 5, "hold_s": 600}),
    "Migrate": "shop-migrate",
}
EVENT = {"DeploymentId": "d-ABCDEF123", "LifecycleEventHookExecutionId": "an-execution"}
STABLE = {"shop-api": "6", "shop-worker": "4"}


class Functions:
    """Lambda: aliases, a runner that needs so many calls for an expansion, and versions of which some are ill."""

    exceptions = SimpleNamespace(ResourceNotFoundException=LookupError)

    def __init__(self, stable=STABLE, ill=(), schema=1, expansion=("done",), newest=None):
        self.stable, self.ill, self.schema, self.expansion = stable, ill, schema, list(expansion)
        self.newest = newest or {"shop-api": 7, "shop-worker": 5}
        self.asked, self.migrated = [], []

    def get_paginator(self, name):
        assert name == "list_versions_by_function"
        return self

    def paginate(self, FunctionName):  # noqa: N803  # boto's name
        return [{"Versions": [{"Version": "$LATEST"}, {"Version": str(self.newest[FunctionName])}]}]

    def get_alias(self, FunctionName, Name):  # noqa: N803  # boto's names
        assert Name == "live"
        return {"FunctionVersion": self.stable[FunctionName]}

    def invoke(self, FunctionName, Payload, Qualifier=None):  # noqa: N803  # boto's names
        event = json.loads(Payload)
        if FunctionName == "shop-migrate":
            self.migrated.append(event)
            return answered(self._expanded())
        self.asked.append((FunctionName, Qualifier))
        if (FunctionName, Qualifier) in self.ill:
            return answered({"errorType": "KeyError", "errorMessage": "'sku'"}) | {"FunctionError": "Unhandled"}
        return answered(None if "Records" in event else page(event["path"]))

    def _expanded(self):
        status = self.expansion.pop(0)
        return {"status": status, "schema": self.schema, "before": 0, "progress": {}, "reason": "it broke"}


class Unreachable(Functions):
    """Lambda in a bad moment."""

    def get_alias(self, FunctionName, Name):  # noqa: N803  # boto's names
        raise ConnectionError("no route")


def answered(document):
    return {"Payload": io.BytesIO(json.dumps(document).encode())}


def page(path):
    return {"statusCode": 404 if path.endswith("no-such-book") else 200, "body": json.dumps({"schema_version": 1})}


@pytest.fixture(autouse=True)
def _at_once(monkeypatch):
    monkeypatch.setattr(smoke, "_BETWEEN_S", 0.0)
    monkeypatch.setattr(codedeploy, "_BETWEEN_S", 0.0)


def asked(functions, left_s=900.0):
    order = Order.of(PROPERTIES)
    hands = codedeploy.Hands(functions, Smoke(functions, order.checks), functions)
    return codedeploy.asked(order, hands, "d-ABCDEF123", lambda: left_s)


def test_well_versions_get_traffic():
    functions = Functions()
    assert asked(functions) is None
    assert functions.migrated == [{"action": "expand", "release": "d-ABCDEF123"}]
    # The old ones, too: the schema has been expanded under them.
    new, old = {("shop-api", "7"), ("shop-worker", "5")}, {("shop-api", "6"), ("shop-worker", "4")}
    assert set(functions.asked) == new | old


@pytest.mark.parametrize(
    ("ill", "said"),
    [
        (("shop-api", "7"), "Not ready. shop-api version 7, GET /health/ready: crashes (KeyError: 'sku')."),
        (("shop-worker", "5"), "Not ready. shop-worker version 5, an empty batch: crashes (KeyError: 'sku')."),
    ],
)
def test_an_ill_version_gets_none(ill, said):
    assert asked(Functions(ill=[ill])).startswith(said)


def test_a_version_in_force_that_is_ill_is_replaced():
    assert asked(Functions(ill=[("shop-api", "6")])) is None
    # One that crashes as the version in force does mends nothing there, and harms nothing either.
    assert asked(Functions(ill=[("shop-api", "6"), ("shop-api", "7")])) is None
    worse = asked(Functions(ill=[("shop-api", "6"), ("shop-worker", "5")]))
    assert worse.startswith("Not ready. shop-worker version 5, an empty batch: crashes")


def test_a_version_in_force_that_the_expansion_harms_keeps_traffic_away():
    functions = Functions()
    functions._expanded = lambda: (
        setattr(functions, "ill", [("shop-api", "6")]) or {"status": "done", "schema": 1, "before": 0, "progress": {}}
    )
    assert asked(functions).startswith("Not ready. The version in force isn't well any more: shop-api version 6")


def test_the_schema_that_the_new_version_needs_must_be_in_force():
    assert asked(Functions(schema=0)) == "Not ready. shop-api version 7 needs schema 1, and 0 is in force."


def test_an_expansion_goes_on_until_it_is_done():
    functions = Functions(expansion=["more", "more", "done"])
    assert asked(functions) is None
    assert len(functions.migrated) == 3


def test_the_version_that_has_moved_already_is_not_asked_again():
    functions = Functions(stable={"shop-api": "7", "shop-worker": "4"})
    assert asked(functions) is None
    assert {name for name, version in functions.asked if version in {"5", "4"}} == {"shop-worker"}
    assert ("shop-api", "6") not in functions.asked


def test_whoever_goes_back_is_not_asked_and_migrates_nothing():
    # Whatever is in force: what is ordered was published before something else.
    for stable in ({"shop-api": "8", "shop-worker": "5"}, STABLE):
        functions = Functions(stable, [("shop-api", "8"), ("shop-api", "7")], newest={"shop-api": 8, "shop-worker": 6})
        assert asked(functions) is None
        assert not functions.asked
        assert not functions.migrated


@pytest.fixture
def environment(monkeypatch):
    def prepare(properties=PROPERTIES, **clients):
        monkeypatch.setenv("TIDEGATE_ORDER", json.dumps(properties))
        monkeypatch.setattr(codedeploy, "client", clients.__getitem__)
        for name in ("questioning", "migrating"):
            monkeypatch.setattr(codedeploy, name, lambda: clients["lambda"])

    return prepare


@pytest.mark.parametrize(
    ("functions", "left_s", "said"),
    [
        (Functions(expansion=["failed"]), 900.0, "The questions failed. MigrationError: it broke"),
        (Functions(expansion=["more"] * 9), 300.0, "The questions failed. MigrationError: The expansion takes longer"),
        (Unreachable(), 900.0, "The questions failed. ConnectionError: no route"),
    ],
)
def test_whatever_goes_wrong_is_a_refusal(environment, functions, left_s, said):
    environment(**{"lambda": functions})
    assert codedeploy.refusal("d-ABCDEF123", lambda: left_s).startswith(said)


def test_an_order_that_cannot_be_read_is_a_refusal(environment):
    environment({})
    assert codedeploy.refusal("d-ABCDEF123", lambda: 900.0) == "The questions failed. KeyError: 'Way'"


class Context:
    """Lambda's, as far as the hook looks at it."""

    def get_remaining_time_in_millis(self):
        return 900_000


@pytest.fixture
def deploying():
    """CodeDeploy's client with its real model, which checks what it is told."""
    made = boto3.client("codedeploy", region_name="eu-west-1", aws_access_key_id="-", aws_secret_access_key="-")
    with Stubber(made) as stubbed:
        yield made, stubbed
        stubbed.assert_no_pending_responses()


@pytest.mark.parametrize(("ill", "status"), [((), "Succeeded"), ((("shop-api", "7"),), "Failed")])
def test_codedeploy_is_told(deploying, environment, caplog, ill, status):
    made, stubbed = deploying
    told = {"deploymentId": "d-ABCDEF123", "lifecycleEventHookExecutionId": "an-execution", "status": status}
    stubbed.add_response("put_lifecycle_event_hook_execution_status", {}, told)
    environment(**{"lambda": Functions(ill=ill), "codedeploy": made})
    codedeploy.handler(EVENT, Context())
    # CodeDeploy takes no reason: it has to be in the log.
    assert ("Not ready. shop-api version 7" in caplog.text) is (status == "Failed")

"""`tidegate rollback` on a cloud of which something may be missing; it is written into the ledger of releases."""

from __future__ import annotations

import json

import boto3
import pytest
from botocore.exceptions import ClientError

from functions.rollout.ledger import Ledger
from tidegate_local.errors import ReleaseError
from tidegate_local.releases.place import Place
from tidegate_local.releases.rollback import roll_back

API, WORKER = "shop-api", "shop-worker"
TABLE = "tidegate"


class NotFoundError(Exception):
    """Lambda's and DynamoDB's."""


class ConflictError(Exception):
    """Lambda's: there is such an alias."""


class Exceptions:
    ResourceNotFoundException = NotFoundError
    ResourceConflictException = ConflictError


class Functions:
    """Lambda, with so many versions of each function."""

    exceptions = Exceptions

    def __init__(self, aliases, versions=("1", "2", "3")):
        self.aliases, self.versions = dict(aliases), versions

    def get_paginator(self, name):
        assert name == "list_versions_by_function"
        return self

    def paginate(self, FunctionName):  # noqa: N803  # boto's name
        return [{"Versions": [{"Version": version} for version in ("$LATEST", *self.versions)]}]

    def get_alias(self, FunctionName, Name):  # noqa: N803  # boto's names
        if FunctionName not in self.aliases:
            raise NotFoundError
        return {"FunctionVersion": self.aliases[FunctionName]}

    def create_alias(self, FunctionName, Name, FunctionVersion):  # noqa: N803  # boto's names
        if FunctionName in self.aliases:
            raise ConflictError
        self.aliases[FunctionName] = FunctionVersion

    def update_alias(self, FunctionName, Name, FunctionVersion, RoutingConfig):  # noqa: N803  # boto's names
        assert RoutingConfig == {"AdditionalVersionWeights": {}}
        self.aliases[FunctionName] = FunctionVersion


class Items:
    """DynamoDB's client, with the release's item."""

    exceptions = Exceptions

    def __init__(self, history, missing=False):
        entries = [{"S": json.dumps(entry)} for entry in history]
        self.item = {
            **{name: {"S": ""} for name in ("phase", "reason", "live", "id")},
            **{name: {"N": "0"} for name in ("step", "percent", "began", "ended")},
            "token": {"N": "3"},
            "doing": {"S": "promoted"},
            "targets": {"S": "[]"},
            "stable": {"S": "{}"},
            "steps": {"S": "[]"},
            "history": {"L": entries},
        }
        self.missing = missing

    def get_item(self, **_):
        return {"Item": self.item}

    def update_item(self, **asked):
        if self.missing:
            raise NotFoundError
        values = asked["ExpressionAttributeValues"]
        if "ConditionExpression" in asked:
            raise ClientError({"Error": {"Code": "ConditionalCheckFailedException"}}, "UpdateItem")
        self.item["history"]["L"] += values[":entry"]["L"]
        self.item["in_force"] = values[":in_force"]


def promoted(version):
    return {
        "release": f"r{version}",
        "versions": {API: version, WORKER: version},
        "before": {},
        "ended": "promoted",
        "at": 1,
        "reason": "",
    }


def place(functions, items):
    outputs = {"FunctionName": API, "WorkerName": WORKER, "AliasName": "live", "TidegateTable": TABLE}
    return Place(outputs, "local", {"lambda": functions, "dynamodb": items}.__getitem__)


@pytest.fixture
def items():
    return Items([promoted(version) for version in ("1", "2", "3")])


def test_api_and_worker_go_back_together_and_it_is_written_down(items):
    functions = Functions({API: "3", WORKER: "3"})
    back = roll_back(place(functions, items), None)
    assert back.versions == functions.aliases == {API: "2", WORKER: "2"}
    entry = json.loads(items.item["history"]["L"][-1]["S"])
    assert (entry["ended"], entry["versions"], entry["before"]) == (
        "by-hand",
        {API: "2", WORKER: "2"},
        {API: "3", WORKER: "3"},
    )
    assert json.loads(items.item["in_force"]["S"]) == {API: "2", WORKER: "2"}


@pytest.mark.parametrize("version", ["$LATEST", "live", "0", "7"])
def test_what_is_refused_moves_nothing(items, version):
    functions = Functions({API: "3", WORKER: "3"})
    with pytest.raises(ReleaseError, match="These can be put in force: 1, 2, 3"):
        roll_back(place(functions, items), version)
    assert functions.aliases == {API: "3", WORKER: "3"}
    assert len(items.item["history"]["L"]) == 3


def test_an_alias_that_is_missing_is_made_again_and_named(items):
    functions = Functions({API: "3"})
    assert roll_back(place(functions, items), None).made == [WORKER]
    assert functions.aliases == {API: "2", WORKER: "2"}


def test_a_table_that_is_missing_is_named(items):
    items.missing = True
    functions = Functions({API: "3", WORKER: "3"})
    said = "The table tidegate, which the ledger of releases is in, is missing"
    with pytest.raises(ReleaseError, match=said):
        roll_back(place(functions, items), None)

    def get_item(**_):
        raise ClientError({"Error": {"Code": "ResourceNotFoundException"}}, "GetItem")

    items.get_item = get_item
    with pytest.raises(ReleaseError, match=said):
        roll_back(place(functions, items), None)
    assert functions.aliases == {API: "3", WORKER: "3"}


def test_the_controller_reads_what_the_command_wrote(items):
    roll_back(place(Functions({API: "3", WORKER: "3"}), items), "1")
    table = boto3.resource("dynamodb", region_name="us-east-1").Table(TABLE)
    plain = boto3.dynamodb.types.TypeDeserializer().deserialize
    table.get_item = lambda **_: {"Item": {name: plain(value) for name, value in items.item.items()}}
    history = Ledger(table, "local").history()
    assert history.in_force == {API: "1", WORKER: "1"}
    assert history.put_by_hand(0) == {API: "1", WORKER: "1"}
    assert history.promotions()[-1] == {API: "3", WORKER: "3"}

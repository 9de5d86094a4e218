"""A project's tables get what its facts name, once; what a file lacks is said before anything is put from it."""

import contextlib
import json

import pytest

from tidegate_local import cloud
from tidegate_local.deployment import seed
from tidegate_local.errors import FactsError
from tidegate_local.project_facts import ProjectFacts, Seed

OUTPUTS = {"BooksTable": "books", "LoansTable": "loans"}


@pytest.fixture(scope="module")
def dynamodb(running_engine):
    keys = {"books": ("isbn",), "loans": ("reader", "day")}
    with contextlib.closing(cloud.client("dynamodb", running_engine.url)) as client:
        for table, names in keys.items():
            client.create_table(
                TableName=table,
                BillingMode="PAY_PER_REQUEST",
                AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in names],
                KeySchema=[
                    {"AttributeName": name, "KeyType": kind}
                    for name, kind in zip(names, ("HASH", "RANGE"), strict=False)
                ],
            )
        yield client


@pytest.fixture
def sown(running_engine, dynamodb, tmp_path):
    """Sows these texts into tables, by their names; returns what was added."""

    def sow(**texts):
        for table, text in texts.items():
            (tmp_path / f"{table}.json").write_text(text)
        seeds = tuple(Seed(tmp_path / f"{table}.json", table) for table in texts)
        facts = ProjectFacts("/ready", tables={"books": "BooksTable", "loans": "LoansTable"}, seed=seeds)
        return seed.sow(running_engine.url, OUTPUTS, facts)

    return sow


def items(dynamodb, table):
    return dynamodb.scan(TableName=table)["Items"]


def test_items_of_every_shape_are_put_once(dynamodb, sown):
    book = {
        "isbn": "1",
        "title": "Tides",
        "price": 12.5,
        "lent": False,
        "tags": ["sea"],
        "shelf": {"row": 3},
        "by": None,
    }
    loans = [{"reader": "ada", "day": "monday"}, {"reader": "ada", "day": "friday"}]
    assert sown(books=json.dumps([book]), loans=json.dumps(loans)) == {"books": 1, "loans": 2}
    (put,) = items(dynamodb, "books")
    assert put == {
        "isbn": {"S": "1"},
        "title": {"S": "Tides"},
        "price": {"N": "12.5"},
        "lent": {"BOOL": False},
        "tags": {"L": [{"S": "sea"}]},
        "shelf": {"M": {"row": {"N": "3"}}},
        "by": {"NULL": True},
    }
    dynamodb.update_item(
        TableName="books",
        Key={"isbn": {"S": "1"}},
        UpdateExpression="SET title = :sold",
        ExpressionAttributeValues={":sold": {"S": "Ebbs"}},
    )
    again = sown(books=json.dumps([book, {"isbn": "2"}]), loans=json.dumps(loans))
    assert seed.said(again) == "1 books added, no loans added"
    assert {item["isbn"]["S"]: item.get("title") for item in items(dynamodb, "books")} == {
        "1": {"S": "Ebbs"},
        "2": None,
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[", "can't be read as JSON"),
        ('{"isbn": "1"}', "isn't a list of items"),
        ('["1"]', "isn't a list of items"),
        ('[{"isbn": "7"}, {"title": "Tides"}]', "has no isbn in item 1"),
    ],
)
def test_a_file_that_is_no_seed_is_named_and_nothing_is_put(dynamodb, sown, text, said):
    with pytest.raises(FactsError, match=rf"books\.json {said}"):
        sown(books=text)
    assert "7" not in [item["isbn"]["S"] for item in items(dynamodb, "books")]


def test_a_table_that_the_stack_does_not_name_is_said(running_engine, tmp_path):
    facts = ProjectFacts("/ready", tables={"maps": "MapsTable"}, seed=(Seed(tmp_path / "maps.json", "maps"),))
    with pytest.raises(FactsError, match=r"no output MapsTable, which \[tool\.tidegate\.tables\] maps names"):
        seed.sow(running_engine.url, OUTPUTS, facts)


def test_a_project_without_a_seed_is_left_alone(running_engine):
    assert seed.said(seed.sow(running_engine.url, OUTPUTS, ProjectFacts("/ready"))) == "there is none"

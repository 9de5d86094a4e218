"""An invocation's answers when what it stands on is wrong: a reason, where a person can do something about it."""

from contextlib import closing

import pytest

from functions.migrate import invocation
from functions.migrate.invocation import answer

LEFT_S = 60.0
EXPAND = {"action": "expand", "release": "r1"}


@pytest.fixture
def environ(dynamo, monkeypatch):
    variables = {
        "AWS_ENDPOINT_URL": dynamo.endpoint_url,
        "TIDEGATE_TABLE": dynamo.create_library_table(),
        "TIDEGATE_ORDERS_TABLE": dynamo.create_table("orders", partition_key="id"),
        "TIDEGATE_PRODUCTS_TABLE": dynamo.create_table("products", partition_key="id"),
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def test_a_rate_that_is_none_is_a_failure_with_a_reason(environ):
    assert answer(EXPAND, LEFT_S)["schema"] == 1
    environ.setenv("TIDEGATE_MIGRATE_WRITES_PER_S", "0")
    told = answer(EXPAND, LEFT_S)
    assert (told["status"], told["schema"], told["progress"]) == ("failed", 1, {})
    assert told["reason"].startswith("TIDEGATE_MIGRATE_WRITES_PER_S is '0': it must be a number")


def test_a_file_that_is_no_migration_is_a_failure_with_its_name(environ, tmp_path):
    (tmp_path / "0001_a.py").write_text("expand = contract = down = None\nBAKE_S = '7 days'\n")
    environ.setattr(invocation, "VERSIONS", tmp_path)
    for action in ("expand", "contract", "down", "status"):
        told = answer({"action": action, "release": "r1"}, LEFT_S)
        assert (told["status"], told["reason"][:11]) == ("failed", "0001_a.py: ")


def test_a_journal_that_is_not_there_is_a_failure_with_its_table_s_name(environ):
    environ.setenv("TIDEGATE_TABLE", "nowhere")
    for event in (EXPAND, {"action": "status"}):
        told = answer(event, LEFT_S)
        assert told["status"] == "failed"
        assert told["reason"].startswith("the journal, in the table nowhere: ResourceNotFoundException: ")


def test_a_project_s_own_table_is_migrated(environ, tmp_path, dynamo):
    books = dynamo.create_table("books", partition_key="isbn")
    environ.setenv("TIDEGATE_BOOKS_TABLE", books)
    environ.delenv("TIDEGATE_ORDERS_TABLE")
    environ.delenv("TIDEGATE_PRODUCTS_TABLE")
    with closing(dynamo.client()) as client:
        client.put_item(TableName=books, Item={"isbn": {"S": "1"}})
    (tmp_path / "0001_shelf.py").write_text(
        "from functions.migrate.migration import Backfill\n"
        "BAKE_S = 60\ncontract = down = None\n"
        'expand = Backfill("books", "attribute_not_exists(shelf)", "SET shelf = :a", values={":a": {"S": "A"}})\n'
    )
    environ.setattr(invocation, "VERSIONS", tmp_path)
    assert answer(EXPAND, LEFT_S)["status"] == "done"
    assert dynamo.items(books) == [{"isbn": {"S": "1"}, "shelf": {"S": "A"}}]

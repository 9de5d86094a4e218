"""The function that migrates: at its newest, with the journal and the shop's items in its reach and nothing else."""

import zipfile

from functions.migrate import invocation
from infra.artefacts import function_code
from tidegate_build.assets import Workspace
from tidegate_build.targets import HOST

from .conftest import ROOT
from .test_grants import as_list, statements


def test_it_has_no_alias_and_no_versions(synthesized):
    assert not synthesized.of_function("AWS::Lambda::Alias", "migrate")
    assert not synthesized.of_function("AWS::Lambda::Version", "migrate")
    assert synthesized.function("migrate")["Handler"] == "functions.migrate.handler.handler"


def test_it_is_outside_of_the_network(both):
    assert "VpcConfig" in both["aws"].function("api")
    assert "VpcConfig" not in both["aws"].function("migrate")


def test_it_may_keep_its_journal_and_change_the_shops_items_only(synthesized):
    granted = {
        (resource["Fn::GetAtt"][0].removeprefix("Tables")[:-8], action)
        for statement in statements(synthesized, "migrate")
        for action in as_list(statement["Action"])
        for resource in as_list(statement["Resource"])
        if not action.startswith("logs:")
    }
    shop = {"dynamodb:DescribeTable", "dynamodb:Scan", "dynamodb:UpdateItem"}
    assert granted == {
        *[("Tidegate", f"dynamodb:{action}") for action in ("GetItem", "UpdateItem")],
        *[(table, action) for table in ("Orders", "Products") for action in shop],
    }


def test_a_slice_ends_well_before_the_function_does(synthesized):
    assert synthesized.function("migrate")["Timeout"] >= invocation.MOST_SLICE_S + invocation.MARGIN_S


def test_it_ships_its_versions_and_the_schema_without_the_application():
    with zipfile.ZipFile(function_code(Workspace.at(ROOT), "migrate", HOST).path) as bundle:
        names = {name for name in bundle.namelist() if name.endswith(".py")}
    assert {"functions/migrate/handler.py", "functions/api/schema.py", "functions/__init__.py"} <= names
    assert "functions/migrate/versions/0001_orders_total_minor.py" in names
    assert {name for name in names if "/api/" in name} == {"functions/api/__init__.py", "functions/api/schema.py"}


def test_the_release_calls_it_by_its_name(synthesized):
    ((function_id, _),) = synthesized.of_function("AWS::Lambda::Function", "migrate").items()
    assert synthesized.only("Custom::TidegateRelease")["Migrate"] == {"Ref": function_id}

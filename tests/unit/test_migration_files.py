"""What a migration's file says is checked when it is loaded, in every field of every half."""

import pytest

from functions.migrate import invocation
from functions.migrate.files import MigrationFileError, load
from functions.migrate.invocation import EventError, SettingError, request_of, writes_per_s
from functions.migrate.tables import tables

WELL = {
    "table": '"orders"',
    "where": '"attribute_exists(#a)"',
    "update": '"SET b = :b"',
    "names": '{"#a": "a"}',
    "values": '{":b": {"N": "1"}}',
    "computed": "None",
    "reads": "()",
}
HALVES = ("expand", "contract", "down")


def text(half="contract", mends="()", bake="60", **fields):
    """A file, one of whose halves has these fields."""
    given = ", ".join(f"{name}={value}" for name, value in (WELL | fields).items())
    halves = "".join(f"{name} = {f'Backfill({given})' if name == half else 'None'}\n" for name in HALVES)
    return f"from functions.migrate.migration import Backfill\n{halves}BAKE_S = {bake}\nMENDS = {mends}\n"


@pytest.fixture
def loaded(tmp_path):
    def load_text(written):
        (tmp_path / "0001_a.py").write_text(written)
        return load(tmp_path, ("products", "orders"))

    return load_text


@pytest.mark.parametrize("half", HALVES)
@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("table", '"customers"', "must be one of orders, products"),
        ("table", "None", "must be one of"),
        ("where", "None", "must be an expression"),
        ("where", '" "', "must be an expression"),
        ("where", '"attribute_exists(#c)"', "has #c, and names don't"),
        ("where", '"b = :c"', "has :c, and values don't"),
        ("update", "b'SET b = :b'", "must be an expression"),
        ("update", '"SET #c = :b"', "has #c, and names don't"),
        ("update", '"SET b = :c"', "has :c, and values don't"),
        ("names", '["#a"]', "must be a mapping"),
        ("names", '{"a": "a"}', "a placeholder is # and"),
        ("names", '{"#a": 1}', "must be an attribute's name"),
        ("names", '{"#tidegate_key": "a"}', "is the runner's own"),
        ("values", "None", "must be a mapping"),
        ("values", '{"b": {"N": "1"}}', "a placeholder is : and"),
        ("values", '{":b": 1}', "must be in DynamoDB's JSON"),
        ("values", '{":b": {"N": 1}}', "must be in DynamoDB's JSON"),
        ("values", '{":b": {"N": "1_0"}}', "must be in DynamoDB's JSON"),
        ("values", '{":b": {"N": "nan"}}', "must be in DynamoDB's JSON"),
        ("values", '{":b": {"S": "1", "N": "1"}}', "must be in DynamoDB's JSON"),
        ("values", '{":b": {"BOOL": "true"}}', "must be in DynamoDB's JSON"),
        ("values", '{":b": {"NULL": False}}', "must be in DynamoDB's JSON"),
        ("values", '{":b": {"SS": []}}', "must be in DynamoDB's JSON"),
        ("values", '{":b": {"L": ["1"]}}', "must be in DynamoDB's JSON"),
        ("values", '{":b": {"M": {"c": 1}}}', "must be in DynamoDB's JSON"),
        ("values", '{":b": {"X": "1"}}', "must be in DynamoDB's JSON"),
        ("computed", '"total"', "must be a function"),
        ("computed", "lambda: {}", "can't be called with the item alone"),
        ("computed", "lambda item, key: {}", "can't be called with the item alone"),
        ("reads", '("total")', "must be a tuple"),
        ("reads", "(1,)", "must be a tuple"),
        ("reads", "None", "must be a tuple"),
    ],
)
def test_a_wrong_field_is_named_whenever_its_half_would_run(loaded, half, field, value, said):
    with pytest.raises(MigrationFileError) as raised:
        loaded(text(half, **{field: value}))
    assert str(raised.value).startswith(f"0001_a.py: {half}.{field}")
    assert said in str(raised.value)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (text(None).replace("down = None", 'down = ("orders", "a", "b")'), "down is of the type tuple"),
        (text(None).replace("expand = None", "expand = False"), "expand is of the type bool"),
        (text(None).replace("contract = None", "contract = Backfill"), "contract is of the type type"),
        (text(bake='"7 days"'), "BAKE_S is '7 days': it must be seconds"),
        (text(bake="None"), "BAKE_S is None"),
        (text(bake="True"), "BAKE_S is True"),
        (text(bake="-1"), "BAKE_S is -1"),
        (text(bake='float("nan")'), "BAKE_S is nan"),
        (text(mends='"0002"'), "MENDS is '0002': it must be the checksum"),
        (text(mends="12"), "MENDS is 12"),
        ("def", "can't be imported: SyntaxError"),
        ("raise SystemExit(1)", "can't be imported: SystemExit: 1"),
        ("import nowhere_at_all", "can't be imported: ModuleNotFoundError"),
        (text("expand", computed="compute").replace("expand =", "async def compute(item): ...\nexpand ="), "coroutine"),
    ],
)
def test_a_file_that_is_wrong_as_a_whole_is_named(loaded, written, said):
    with pytest.raises(MigrationFileError, match=r"0001_a\.py") as raised:
        loaded(written)
    assert said in str(raised.value)


@pytest.mark.parametrize(
    ("fields", "more"),
    [
        ({}, {}),
        ({"computed": "lambda item: {}", "update": '"SET b = :b, c = :c"'}, {}),
        ({"computed": "dict"}, {}),
        ({"reads": '["a"]', "names": '{"#a": "a", "#unused": "u"}'}, {"bake": "0.5"}),
        ({"values": '{":b": {"M": {"l": {"L": [{"NULL": True}, {"B": b"x"}, {"NS": ["1", "-2.5e3"]}]}}}}'}, {}),
        ({}, {"mends": '"0123456789ab"'}),
        ({}, {"mends": '("0123456789ab", "cdef01234567")'}),
    ],
)
def test_what_dynamodb_takes_is_taken(loaded, fields, more):
    (migration,) = loaded(text(**fields, **more))
    assert migration.contract is not None
    assert len(migration.mends) == (0 if "mends" not in more else more["mends"].count('"') // 2)


def test_a_migration_names_a_table_of_its_project(tmp_path):
    (tmp_path / "0001_a.py").write_text(text("expand", table='"books"'))
    environ = {"TIDEGATE_BOOKS_TABLE": "b-1", "TIDEGATE_OLD_LOANS_TABLE": "l-1", "TIDEGATE_MAPS_TABLE": ""}
    named = tables(environ | {"TIDEGATE_TABLE": "t-1", "OTHER_TABLE": "o-1"})
    assert named == {"books": "b-1", "old_loans": "l-1"}
    (migration,) = load(tmp_path, named)
    assert migration.expand.table == "books"
    with pytest.raises(MigrationFileError, match=r"expand\.table is 'books': it must be one of loans, maps"):
        load(tmp_path, ("maps", "loans"))
    with pytest.raises(
        MigrationFileError, match=r"expand\.table is 'books', and no TIDEGATE_<NAME>_TABLE names a table"
    ):
        load(tmp_path, tables({}))


@pytest.mark.parametrize("rate", ["0", "-1", "nan", "inf", "-inf", "", "many", "5e-324", "1e400", "0x10"])
def test_a_rate_that_is_none_is_refused_by_its_variable(rate):
    with pytest.raises(SettingError, match=f"TIDEGATE_MIGRATE_WRITES_PER_S is '{rate}'"):
        writes_per_s({"TIDEGATE_MIGRATE_WRITES_PER_S": rate})


@pytest.mark.parametrize(("environ", "rate"), [({}, 500), ({"TIDEGATE_MIGRATE_WRITES_PER_S": " 0.25 "}, 0.25)])
def test_a_rate_is_read(environ, rate):
    assert writes_per_s(environ) == rate


@pytest.mark.parametrize(
    "event",
    [
        {"action": "expand", "release": 7},
        {"action": "expand", "release": "r", "dry_run": "false"},
        {"action": "expand", "release": "r", "to": 0},
        {"action": "status", "to": 0},
        {"action": "down", "to": "1"},
        {"action": "down", "to": True},
        {"action": "down", "to": -1},
        {"action": "down", "release": ""},
        {"action": ["expand"]},
    ],
)
def test_an_event_whose_parts_contradict_each_other_is_refused(event):
    with pytest.raises(EventError):
        request_of(event)


def test_a_slice_and_its_last_round_fit_into_the_lease_and_the_function():
    from functions.migrate.ledger import LEASE_S  # noqa: PLC0415  # two numbers that only this test compares
    from functions.migrate.rounds import ROUND_S  # noqa: PLC0415

    calls_s = (
        3 * (1 + 2) + 1
    )  # what a write takes at most: three tries, each of a second's connecting and two's reading
    assert ROUND_S + calls_s <= invocation.MARGIN_S
    assert ROUND_S + calls_s < LEASE_S

"""What is due, what is refused and what has to wait, from files and the journal alone."""

import pytest

from functions.api.schema import OLDEST_SCHEMA, SCHEMA_VERSION
from functions.migrate import planning
from functions.migrate.backfill import ended
from functions.migrate.files import MigrationFileError, checksum, load
from functions.migrate.invocation import VERSIONS, EventError, request_of
from functions.migrate.journal import Entry, Journal, Progress
from functions.migrate.migration import Backfill, Migration
from tidegate_local.project_facts import ProjectFacts

NOTHING = "expand = contract = down = None\nBAKE_S = 60\n"
SOME = Backfill("orders", "attribute_exists(a)", "REMOVE a")
DAY_S = 86_400


def migration(number, *, contract=SOME, down=SOME, text="same"):
    return Migration(number, f"{number:04d}_m", checksum(text.encode()), SOME, contract, down, DAY_S)


def journal(**states):
    """`journal(m1="expanded", m2=("expanding", "r2"))`, of release r1 unless it is said."""
    entries = {}
    for name, told in states.items():
        state, release = told if isinstance(told, tuple) else (told, "r1")
        number = int(name[1:])
        entries[number] = Entry(f"{number:04d}_m", checksum(b"same"), state, release, 1000.0)
    return Journal(entries)


def names(migrations):
    return [each.number for each in migrations]


@pytest.fixture
def folder(tmp_path):
    def written(**files):
        for name, text in files.items():
            (tmp_path / f"{name.removeprefix('n')}.py").write_text(text)
        return tmp_path

    return written


def test_files_are_taken_in_the_order_of_their_numbers(folder):
    migrations = load(folder(n0010_c=NOTHING, n0002_b=NOTHING, n0001_a=NOTHING, __init__=""), ())
    assert [each.name for each in migrations] == ["0001_a", "0002_b", "0010_c"]
    assert {each.bake_s for each in migrations} == {60}


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"n1_a": NOTHING}, "1_a.py: name it NNNN_name.py"),
        ({"n0000_a": NOTHING}, "0000_a.py: name it"),
        ({"n0001_a": "expand = None\n"}, "0001_a.py: contract, down, BAKE_S isn't there"),
        ({"n0001_a": NOTHING, "n0001_b": NOTHING}, "0001_a and 0001_b have the same number"),
    ],
)
def test_what_is_no_migration_is_named(folder, files, said):
    with pytest.raises(MigrationFileError, match=said):
        load(folder(**files), ())


def test_a_checksum_is_of_the_text_however_its_lines_end():
    assert checksum(b"a\nb\n") == checksum(b"a\r\nb\r\n") != checksum(b"a\nb \n")


def test_the_code_s_schema_is_the_last_file_s():
    assert load(VERSIONS, ProjectFacts.read().tables)[-1].number == SCHEMA_VERSION
    assert OLDEST_SCHEMA <= SCHEMA_VERSION


def test_a_journal_reads_as_it_was_written():
    written = journal(m1="expanded", m2=("expanding", "r2"))
    entry = written.entries[2]._replace(progress=Progress((None, "end", {"id": {"S": "x"}}), 7, 5, 9), reason="no")
    written = written.enter(2, entry)
    assert Journal.loads(written.dumps()) == written


@pytest.mark.parametrize(
    ("states", "schema", "contracted"),
    [
        ({}, 0, 0),
        ({"m1": "expanding"}, 0, 0),
        ({"m1": "expanded"}, 1, 0),
        ({"m1": "contracting"}, 1, 1),
        ({"m1": "contracted", "m2": "expanded", "m3": "undoing"}, 2, 1),
        ({"m1": "expanded", "m2": "undone", "m3": "failed"}, 1, 0),
    ],
)
def test_a_schema_is_in_force_when_it_is_whole(states, schema, contracted):
    assert (journal(**states).schema, journal(**states).contracted) == (schema, contracted)


def test_the_schema_before_a_release_is_without_what_it_expanded():
    assert journal(m1="expanded", m2=("expanded", "r2"), m3=("expanded", "r2")).before("r2") == 1
    assert journal(m1="expanded").before("r2") == 1


def test_what_is_not_in_force_is_due_in_order():
    files = [migration(1), migration(2), migration(3), migration(4)]
    assert names(planning.to_expand(files, journal(m1="expanded", m2="failed", m3="expanding"))) == [2, 3, 4]


@pytest.mark.parametrize("state", ["expanded", "contracting", "contracted"])
def test_a_file_that_ran_may_not_change_and_is_named(state):
    refused = planning.refusal([migration(1, text="other")], journal(m1=state))
    assert refused is not None
    assert refused.startswith("0001_m.py was changed after it ran")


@pytest.mark.parametrize("state", ["expanding", "failed", "undone", "undoing"])
def test_a_file_that_did_not_get_through_may_be_mended(state):
    assert planning.refusal([migration(1, text="other")], journal(m1=state)) is None


def test_a_file_whose_contract_failed_may_be_mended():
    contracting = journal(m1="contracting")
    failed = contracting.enter(1, contracting.entries[1]._replace(reason="no"))
    assert planning.refusal([migration(1, text="other")], failed) is None


def test_a_file_before_one_that_ran_is_refused_and_one_that_is_gone_is_not():
    refused = planning.refusal([migration(1), migration(2)], journal(m2="expanded"))
    assert refused is not None
    assert refused.startswith("0001_m.py comes before 0002")
    assert planning.refusal([migration(1)], journal(m1="expanded", m2="expanded")) is None


@pytest.mark.parametrize(
    ("states", "release", "now_s", "oldest", "why"),
    [
        ({"m1": "expanded"}, "r1", 1000 + DAY_S, 1, "this release expanded it"),
        ({"m1": "expanded"}, "r2", 999 + DAY_S, 1, "it bakes for 1 s more"),
        ({"m1": "expanded"}, "r2", 1000 + DAY_S, 0, "the code needs the form of schema 0 still"),
        ({"m1": "expanded"}, "r2", 1000 + DAY_S, 1, None),
        ({"m1": "contracting"}, "r1", 1000, 1, None),
        ({"m1": "contracting"}, "r2", 1000 + DAY_S, 0, "the code needs the form of schema 0 still"),
    ],
)
def test_the_old_form_goes_unneeded_in_a_release_after_its_bake_time(states, release, now_s, oldest, why):
    due, waiting = planning.to_contract([migration(1)], journal(**states), release, now_s, oldest)
    assert (names(due), waiting) == (([1], {}) if why is None else ([], {"0001_m": why}))


def test_nothing_is_contracted_before_an_older_one():
    expanded = journal(m1=("expanded", "r2"), m2="expanded")
    due, waiting = planning.to_contract([migration(1), migration(2)], expanded, "r2", 1000 + DAY_S, 2)
    assert not due
    assert waiting["0002_m"] == "an older one waits"


@pytest.mark.parametrize("state", ["contracted", "undone", "failed", "expanding"])
def test_what_is_not_expanded_is_not_contracted(state):
    assert planning.to_contract([migration(1)], journal(m1=state), "r9", 1e9, 9) == ([], {})


def test_without_a_contract_nothing_waits():
    assert planning.to_contract([migration(1, contract=None)], journal(m1="expanded"), "r9", 1e9, 9) == ([], {})


@pytest.mark.parametrize(
    ("states", "release", "floor", "undone"),
    [
        ({"m1": "expanded", "m2": ("expanded", "r2"), "m3": ("expanding", "r2")}, "r2", 0, [3, 2]),
        ({"m1": "expanded", "m2": ("expanded", "r2"), "m3": ("expanded", "r2")}, None, 2, [3]),
        ({"m1": "contracted", "m2": "expanded"}, None, 0, [2]),
        ({"m1": "contracting"}, None, 0, []),
        ({"m1": "undone", "m2": "failed"}, None, 0, []),
        ({"m1": ("expanded", "r2"), "m2": "expanded"}, "r2", 0, []),
    ],
)
def test_a_release_takes_back_its_own_the_newest_first(states, release, floor, undone):
    files = [migration(1), migration(2), migration(3)]
    assert names(planning.to_undo(files, journal(**states), release, floor)) == undone


def test_what_is_not_declared_safe_stays_and_all_below_it():
    files = [migration(1), migration(2, down=None), migration(3)]
    assert names(planning.to_undo(files, journal(m1="expanded", m2="expanded", m3="expanded"), None, 0)) == [3]


def test_a_backfill_ends_with_its_last_segment():
    assert not ended(Progress())
    assert not ended(Progress(("end", {"id": {"S": "end"}})))
    assert ended(Progress(("end", "end")))


@pytest.mark.parametrize(
    "event", [{}, {"action": "drop"}, {"action": "expand"}, {"action": "contract"}, {"action": "down"}]
)
def test_an_event_that_asks_for_nothing_is_refused(event):
    with pytest.raises(EventError):
        request_of(event)


def test_an_event_is_read():
    assert request_of({"action": "down", "to": 3}) == ("down", None, 3, False)
    assert request_of({"action": "expand", "release": "r1", "dry_run": True}) == ("expand", "r1", 0, True)

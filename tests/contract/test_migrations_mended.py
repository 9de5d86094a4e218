"""Files that change, go or come half-way: who goes on with the items, who takes them back, and what is refused."""

import contextlib

import pytest

from functions.migrate import backfill
from functions.migrate.ledger import LEASE_S
from functions.migrate.migration import SHOWN, Backfill
from functions.migrate.runner import Request
from tests.contract.migrations import DAY_S, Killed, MortalClient, Site, order, renaming
from tests.harness.dynamodb_within import DynamoWithin

OLD, NEW = "a" * 64, "b" * 64
NAMES = {"#old": "total", "#new": "total_minor"}
WRONG = Backfill(
    "orders", "attribute_not_exists(#new)", "SET #new = :zero", {"#new": "total_minor"}, {":zero": {"N": "0"}}
)
COMPUTED_DOWN = Backfill("orders", "attribute_exists(#new)", "REMOVE #new", NAMES, computed=lambda item: {})
COUNT = 40


def wrong(number=1, **changes):
    return renaming(number, **{"checksum": OLD, "expand": WRONG, **changes})


def right(number=1, **changes):
    return renaming(number, **{"checksum": NEW, **changes})


@pytest.fixture
def here(monkeypatch):
    monkeypatch.setattr(backfill, "PAGE", 3)
    with contextlib.closing(Site(DynamoWithin(), ())) as site:
        site.put(*map(order, range(COUNT)))
        yield site


def half_way(here, action="expand", release="r1"):
    """A runner is killed when some of the items are done."""
    before = here.items()
    calls = 10
    while here.items() == before or here.state() in {"expanded", "undone"}:
        with contextlib.suppress(Killed):
            here.runner(client=MortalClient(here.client, calls)).run(Request(action, release))
        here.clock.sleep(LEASE_S)
        calls += 5
    changed = sum(item != before[name] for name, item in here.items().items())
    assert 0 < changed < COUNT


def values(here):
    return {name: item.get("total_minor", {}).get("N") for name, item in here.items().items()}


RIGHT = {f"order-{n}": str(n) for n in range(COUNT)}


@pytest.mark.parametrize("number", [1, 2])
def test_what_a_file_left_half_way_is_taken_back_before_its_correction(here, number):
    here.migrations = (wrong(),)
    half_way(here)
    here.migrations = (right(number),)
    preview = here.run("expand", "r2", dry_run=True)["progress"]
    assert preview["taken_back_first"] == ["0001_total"]
    assert here.run("expand", "r2")["status"] == "done"
    assert values(here) == RIGHT


def test_what_a_deleted_file_left_half_way_is_taken_back(here):
    here.migrations = (wrong(),)
    half_way(here)
    here.migrations = ()
    told = here.run("expand", "r2")
    assert (told["status"], told["schema"], here.state()) == ("done", 0, "undone")
    assert set(values(here).values()) == {None}


@pytest.mark.parametrize("files", [(), (right(),), (right(2),)])
def test_taking_back_is_ended_by_the_file_that_began_or_its_plan(here, files):
    here.migrations = (wrong(),)
    here.run("expand", "r1")
    half_way(here, "down")
    assert here.state() == "undoing"
    here.migrations = files
    assert here.run("expand", "r2")["status"] == "done"
    assert values(here) == (RIGHT if files else dict.fromkeys(RIGHT))


def test_a_file_s_down_is_not_run_over_what_another_expanded(here):
    taking = Backfill("orders", "attribute_exists(#old)", "REMOVE #old", NAMES)
    here.migrations = (wrong(),)
    here.run("expand", "r1")
    half_way(here, "down")
    here.migrations = (right(down=taking),)
    assert here.run("down", "r1")["progress"]["undone"] == ["0001_total"]
    assert all("total" in item for item in here.items().values())


def test_a_file_that_changed_no_item_has_nothing_taken_back(here):
    taking = Backfill("orders", "attribute_exists(#old)", "REMOVE #old", NAMES)
    failing = Backfill("orders", "attribute_exists(id)", "SET a = a + b")
    here.migrations = (wrong(expand=failing, down=taking),)
    before = here.items()
    told = here.run("expand", "r1")
    assert (told["status"], here.state(), here.items()) == ("failed", "failed", before)
    here.migrations = (right(),)
    assert here.run("expand", "r2")["status"] == "done"


@pytest.mark.parametrize("down", [None, COMPUTED_DOWN])
@pytest.mark.parametrize("files", [(), (right(),), (right(2),), (right()._replace(name="0001_other"),)])
def test_what_can_not_be_taken_back_is_refused_by_its_file_s_name(here, down, files):
    here.migrations = (wrong(down=down),)
    half_way(here)
    mixed = here.items()
    here.migrations = files
    for action in ("expand", "contract"):
        told = here.run(action, "r2")
        assert told["status"] == "failed"
        assert told["reason"].startswith("0001_total.py ")
        assert f'MENDS = "{OLD[:SHOWN]}"' in told["reason"]
    assert here.items() == mixed
    assert here.run("status")["reason"] == told["reason"]
    here.migrations = (wrong(down=down),)
    assert here.run("expand", "r3")["status"] == "done", "restored, it goes on"
    assert set(values(here).values()) == {"0"}


@pytest.mark.parametrize("number", [1, 2])
def test_a_file_may_say_that_it_mends_what_another_left_half_way(here, number):
    here.migrations = (wrong(down=None),)
    half_way(here)
    mending = WRONG._replace(
        where="attribute_not_exists(#new) OR #new <> #old", update="SET #new = #old", names=NAMES, values={}
    )
    here.migrations = (right(number, expand=mending, mends=(OLD[:SHOWN],)),)
    assert here.run("expand", "r2")["status"] == "done"
    assert values(here) == RIGHT
    here.migrations = (right(number, expand=mending),)
    assert here.run("expand", "r3")["status"] == "done"


def test_a_mending_file_that_is_taken_back_leaves_the_debt_it_found(here):
    here.migrations = (wrong(down=None),)
    half_way(here)
    mending = right(mends=(OLD[:SHOWN],))
    here.migrations = (mending,)
    half_way(here, release="r2")
    here.migrations = (right(checksum="c" * 64),)
    told = here.run("expand", "r3")
    assert told["status"] == "failed"
    assert OLD[:SHOWN] in told["reason"]


def test_what_was_to_be_mended_begins_anew_when_its_own_file_comes_back(here):
    here.migrations = (wrong(down=None),)
    assert here.runner(slice_s=0).run(Request("expand", "r1"))["status"] == "more"
    mending = WRONG._replace(where="attribute_not_exists(#new) OR #new = :zero", update="SET #new = #old", names=NAMES)
    here.migrations = (right(2, expand=mending, down=COMPUTED_DOWN._replace(computed=None), mends=(OLD[:SHOWN],)),)
    half_way(here, release="r2")
    here.migrations = (wrong(down=None),)
    assert here.run("expand", "r3")["status"] == "done"
    assert set(values(here).values()) == {"0"}
    assert here.state(2) == "undone"


def test_a_failed_way_back_is_tried_again_before_anything_else(here):
    stuck = Backfill("orders", "attribute_exists(#new)", "REMOVE #new SET a = a + b", NAMES)
    here.migrations = (wrong(down=stuck),)
    half_way(here)
    told = here.run("down", "r1")
    assert (told["status"], here.state()) == ("failed", "failed")
    assert "0001_total, down: on the item id " in told["reason"]
    here.migrations = (right(),)
    told = here.run("expand", "r2")
    assert (told["status"], told["reason"].count("0001_total, down")) == ("failed", 2)
    assert set(values(here).values()) == {None, "0"}, "nothing was done over the mixture"


def test_a_contract_that_is_half_way_is_gone_on_with_by_its_file_alone(here):
    emptying = Backfill("orders", "attribute_exists(#old)", "SET #new = :zero REMOVE #old", NAMES, WRONG.values)
    here.migrations = (right(contract=emptying),)
    here.run("expand", "r1")
    here.clock.sleep(DAY_S)
    half_way(here, "contract", "r2")
    for files in ((), (right(checksum=OLD),)):
        here.migrations = files
        for action in ("expand", "contract"):
            told = here.run(action, "r3")
            assert (told["status"], told["reason"][:14]) == ("failed", "0001_total.py ")
    mended = right(checksum=OLD, mends=(NEW[:SHOWN],))
    here.migrations = (mended,)
    assert here.run("expand", "r3")["status"] == "done"
    assert here.run("contract", "r3")["progress"]["contracted"] == ["0001_total"]
    assert not [item for item in here.items().values() if "total" in item]


def test_a_contract_that_began_stops_when_the_code_needs_the_old_form(here):
    here.migrations = (right(),)
    here.run("expand", "r1")
    here.clock.sleep(DAY_S)
    told = here.runner(slice_s=0).run(Request("contract", "r2"))
    assert (told["status"], here.state()) == ("more", "contracting")
    left = here.items()
    here.oldest = 0
    told = here.runner(slice_s=0).run(Request("contract", "r2"))
    assert told["progress"]["waiting"] == {"0001_total": "the code needs the form of schema 0 still"}
    assert here.items() == left
    here.oldest = 1
    assert here.run("contract", "r3")["progress"]["contracted"] == ["0001_total"]


def test_what_is_taken_back_is_the_expanded_file_s_though_it_changed(here):
    taking = Backfill("orders", "attribute_exists(#old)", "REMOVE #old", NAMES)
    here.migrations = (wrong(),)
    here.run("expand", "r1")
    for files in ((right(down=taking),), ()):
        here.migrations = files
        assert here.run("down", "r1", dry_run=True)["progress"]["due"][0]["items"] == COUNT
    assert here.run("down", "r1")["progress"] == {"undone": ["0001_total"]}
    assert all(item.keys() == {"id", "total", "runs"} for item in here.items().values())


def test_what_stays_though_it_should_be_taken_back_is_said(here):
    here.migrations = (right(down=None), right(2, expand=None, contract=None, down=None))
    here.run("expand", "r1")
    kept = {"0001_total": "0002_total came after it, and stays", "0002_total": "it has no `down`"}
    assert here.run("down", "r1")["progress"] == {"undone": [], "kept": kept}
    here.clock.sleep(DAY_S)
    here.run("contract", "r2")
    assert here.run("down", "r1", dry_run=True)["progress"]["kept"] == kept | {
        "0001_total": "its old form is gone, or going"
    }


def test_a_runner_killed_between_an_item_and_the_journal_is_noticed(here):
    here.migrations = (wrong(down=None),)
    calls = 4
    while not any(values(here).values()):
        with contextlib.suppress(Killed):
            here.runner(client=MortalClient(here.client, calls, after=True)).run(Request("expand", "r1"))
        here.clock.sleep(LEASE_S)
        calls += 1
    assert here.journal().entries[1].progress.written == 0
    here.migrations = (right(),)
    assert here.run("expand", "r2")["status"] == "failed"


def test_an_entry_of_before_these_were_kept_counts_as_half_way(here):
    here.migrations = (wrong(),)
    half_way(here)
    journal = here.journal()
    entry = journal.entries[1].document()
    for unknown in ("touched", "way_back", "reserved", "before"):
        del entry[unknown]
    read = type(journal.entries[1]).loads(entry)
    assert read.half_way
    assert read.way_back == {}

"""Migrations on the engine: what they do to items, to the journal, and to each other."""

import pytest

from functions.migrate.ledger import LEASE_S, Ledger, SupersededError
from functions.migrate.migration import Backfill
from functions.migrate.runner import Request
from tests.contract.migrations import DAY_S, order, renaming, site
from tests.harness.dynamodb_within import DynamoWithin

BROKEN = Backfill("orders", "attribute_exists(id)", "SET a = a + b")  # neither is there: DynamoDB refuses it


@pytest.fixture
def dynamo():
    """The engine within this process: nothing here is about the way to it."""
    return DynamoWithin()


@pytest.fixture
def here(dynamo):
    with site(dynamo) as made:
        yield made


def test_expand_changes_what_is_old_and_counts_it(here):
    here.put(*map(order, range(9)), order(9, total_minor={"N": "90"}))
    told = here.run("expand", "r1")
    assert (told["status"], told["schema"], told["before"], told["reason"]) == ("done", 1, 0, None)
    assert told["progress"] == {"expanded": ["0001_total"]}
    items = here.items()
    assert [items[f"order-{n}"]["total_minor"]["N"] for n in range(10)] == [*map(str, range(9)), "90"]
    (line,) = here.run("status")["progress"]["migrations"]
    assert (line["state"], line["release"], line["read"], line["written"], line["of"]) == ("expanded", "r1", 10, 9, 10)


def test_a_second_release_expands_nothing_and_contracts_after_its_bake(here):
    here.put(*map(order, range(5)))
    here.run("expand", "r1")
    here.put(order(5))  # by old code, after the backfill went by
    assert here.run("contract", "r1")["progress"]["waiting"] == {"0001_total": "this release expanded it"}
    assert here.run("expand", "r2")["progress"] == {"expanded": []}
    assert "bakes" in here.run("contract", "r2")["progress"]["waiting"]["0001_total"]
    here.clock.sleep(DAY_S)
    told = here.run("contract", "r2")
    assert (told["progress"]["contracted"], told["contracted"], told["schema"]) == (["0001_total"], 1, 1)
    assert {(n, i["total_minor"]["N"], "total" in i) for n, i in here.items().items()} == {
        (f"order-{n}", str(n), False) for n in range(6)
    }


def test_a_dry_run_counts_and_changes_nothing(here):
    here.put(*map(order, range(7)), order(7, total_minor={"N": "7"}))
    before = here.items()
    told = here.run("expand", "r1", dry_run=True)
    assert told["progress"] == {"due": [{"name": "0001_total", "items": 7, "exact": True}]}
    assert (here.items(), here.state(), told["schema"]) == (before, "pending", 0)
    here.run("expand", "r1")
    here.clock.sleep(DAY_S)
    assert here.run("contract", "r2", dry_run=True)["progress"]["due"][0]["items"] == 8
    assert here.run("down", None, dry_run=True)["progress"]["due"][0]["items"] == 8


def test_an_invocation_does_what_fits_and_the_next_one_goes_on(here):
    here.put(*map(order, range(210)))
    tolds = [here.runner(slice_s=0).run(Request("expand", "r1"))]
    while tolds[-1]["status"] == "more":
        tolds.append(here.runner(slice_s=0).run(Request("expand", "r1")))
    written = [told["progress"]["written"] for told in tolds[:-1]]
    assert len(written) >= 1
    assert written == sorted(set(written))
    assert tolds[-1]["status"] == "done"
    assert {item["runs"]["N"] for item in here.items().values()} == {"1"}


def test_writes_are_bounded(here):
    here.put(*map(order, range(210)))
    began_s = here.clock.now_s
    here.runner(writes_per_s=20).run(Request("expand", "r1"))
    # The clock is turned by who sleeps alone: 210 writes at 20 in a second.
    assert here.clock.now_s - began_s == pytest.approx(10.5)


def test_who_is_taken_over_can_write_no_more(here):
    first, second = (Ledger(here.client, here.library, "test", here.clock) for _ in range(2))
    held = first.take()
    assert second.take() is None
    here.clock.sleep(LEASE_S)
    taken = second.take()
    assert taken.token == held.token + 1
    with pytest.raises(SupersededError):
        first.write(held)
    first.leave(held)  # frees nothing
    assert first.take() is None
    second.leave(taken)
    assert first.take().token == taken.token + 1


def test_a_take_whose_answer_was_lost_is_repeated(here):
    ledger = Ledger(here.client, here.library, "test", here.clock)
    assert ledger.take() is not None
    assert ledger.take() is not None


def test_a_second_runner_is_told_to_wait(here):
    ledger = Ledger(here.client, here.library, "test", here.clock)
    held = ledger.take()
    told = here.runner().run(Request("expand", "r2"))
    assert (told["status"], told["progress"]) == ("more", {"trouble": "another runner has the lock"})
    ledger.leave(held)
    assert here.run("expand", "r2")["status"] == "done"


def test_a_failing_migration_takes_back_what_its_release_expanded(dynamo):
    with site(dynamo, renaming(1), renaming(2, expand=BROKEN, down=None)) as here:
        here.put(*map(order, range(3)))
        told = here.run("expand", "r1")
        assert (told["status"], told["schema"]) == ("failed", 1)
        assert told["reason"].startswith("0002_total: ")
        assert (here.state(1), here.state(2)) == ("expanded", "failed"), "what can't be taken back stays, and all below"
    with site(dynamo, renaming(1), renaming(2, expand=BROKEN)) as here:
        here.put(*map(order, range(3)))
        told = here.run("expand", "r1")
        assert (told["status"], told["schema"]) == ("failed", 0)
        assert (here.state(1), here.state(2)) == ("undone", "failed")
        assert not [item for item in here.items().values() if "total_minor" in item]
        assert [line["reason"] for line in here.run("status")["progress"]["migrations"]] == [None, told["reason"]]


def test_a_mended_migration_goes_through_in_the_next_release(dynamo):
    with site(dynamo, renaming(1, expand=BROKEN)) as here:
        here.put(*map(order, range(3)))
        assert here.run("expand", "r1")["status"] == "failed"
        here.migrations = (renaming(1, checksum="mended"),)
        told = here.run("expand", "r2")
        assert (told["status"], told["schema"], told["before"]) == ("done", 1, 0)
        here.migrations = (renaming(1, checksum="changed again"),)
        told = here.run("expand", "r3")
        assert told["status"] == "failed"
        assert told["reason"].startswith("0001_total.py was changed")


def test_down_takes_back_a_release_s_own_and_what_is_not_safe_stays(dynamo):
    with site(dynamo, renaming(1), renaming(2, expand=None, contract=None, down=None)) as here:
        here.put(*map(order, range(3)))
        here.run("expand", "r1")
        assert (here.run("down", "r1")["schema"], here.state(1)) == (2, "expanded")
        here.migrations = (renaming(1), renaming(2, expand=None, contract=None))
        assert here.run("down", "r9")["schema"] == 2
        told = here.run("down", "r1", floor=0)
        assert (told["status"], told["schema"]) == ("done", 0)
        assert told["progress"] == {"undone": ["0002_total", "0001_total"]}


def test_a_failed_contract_is_not_undone_and_goes_on_once_it_is_mended(dynamo):
    broken = BROKEN._replace(update="SET a = a + b")
    with site(dynamo, renaming(contract=broken)) as here:
        here.put(*map(order, range(3)))
        here.run("expand", "r1")
        here.clock.sleep(DAY_S)
        told = here.run("contract", "r2")
        assert (told["status"], told["contracted"], here.state()) == ("failed", 1, "contracting")
        assert "0001_total, contract: " in told["reason"]
        assert not here.run("down", None)["progress"]["undone"]
        here.migrations = (renaming(checksum="mended"),)
        assert here.run("contract", "r2")["progress"]["contracted"] == ["0001_total"]


def test_what_is_computed_from_an_item_is_computed_again_if_it_changed(dynamo):
    def doubled(item):
        value = int(item["total"]["N"])
        if value == 1:  # the shop changes it between the scan's read and the update
            here.client.update_item(
                TableName=here.orders,
                Key={"id": item["id"]},
                UpdateExpression="SET #t = :t",
                ExpressionAttributeNames={"#t": "total"},
                ExpressionAttributeValues={":t": {"N": "500"}},
            )
        return {":double": {"N": str(2 * value)}}

    expand = Backfill(
        "orders", "attribute_not_exists(doubled)", "SET doubled = :double", computed=doubled, reads=("total", "absent")
    )
    with site(dynamo, renaming(expand=expand)) as here:
        here.put(*map(order, range(3)))
        here.run("expand", "r1")
        doubles = {name: item.get("doubled", {}).get("N") for name, item in here.items().items()}
    assert doubles == {"order-0": "0", "order-1": "1000", "order-2": "4"}


def test_an_item_that_traffic_has_changed_meanwhile_is_not_written_over(dynamo):
    def overtaken(item):
        here.client.update_item(
            TableName=here.orders,
            Key={"id": item["id"]},
            UpdateExpression="SET total_minor = :t",
            ExpressionAttributeValues={":t": {"N": "500"}},
        )
        return {":new": {"N": "0"}}

    expand = Backfill("orders", "attribute_not_exists(total_minor)", "SET total_minor = :new", computed=overtaken)
    with site(dynamo, renaming(expand=expand)) as here:
        here.put(*map(order, range(3)))
        here.run("expand", "r1")
        assert {item["total_minor"]["N"] for item in here.items().values()} == {"500"}
        assert here.run("status")["progress"]["migrations"][0]["written"] == 0


def test_an_item_that_has_gone_meanwhile_is_not_made_again(dynamo):
    def sold_out(item):
        here.client.delete_item(TableName=here.orders, Key={"id": item["id"]})
        return {":new": {"N": "0"}}

    expand = Backfill("orders", "attribute_not_exists(total_minor)", "SET total_minor = :new", computed=sold_out)
    with site(dynamo, renaming(expand=expand)) as here:
        here.put(*map(order, range(3)))
        assert here.run("expand", "r1")["status"] == "done"
        assert not here.items()

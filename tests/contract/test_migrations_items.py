"""A backfill and its items: which one it failed on, keys of every type, and the pace of its writes."""

import contextlib
import math
from itertools import pairwise

import pytest
from botocore.exceptions import ClientError

from functions.migrate import backfill, rounds
from functions.migrate.backfill import Table, ended
from functions.migrate.faults import ItemError
from functions.migrate.journal import Entry, Journal, Progress, Reserved
from functions.migrate.ledger import LEASE_S
from functions.migrate.migration import Backfill
from functions.migrate.pacing import Pace
from functions.migrate.rounds import ROUND_S, Rounds
from functions.migrate.runner import Request
from tests.contract.migrations import Killed, MortalClient, Site, TurnedClock, order, renaming
from tests.harness.dynamodb_within import DynamoWithin

MARK = Backfill("orders", "attribute_not_exists(marked)", "SET marked = :yes", values={":yes": {"BOOL": True}})


@pytest.fixture
def here():
    with contextlib.closing(Site(DynamoWithin(), (renaming(),))) as site:
        yield site


class Faulty:
    """A client whose updates of some items end in an error, so many times."""

    def __init__(self, client, code, names, times=math.inf):
        self._client, self._code, self._names, self._times = client, code, names, times

    def __getattr__(self, operation):
        return getattr(self._client, operation)

    def update_item(self, **asked):
        if asked["Key"].get("id", {}).get("S") in self._names and self._times > 0:
            self._times -= 1
            told = {"Error": {"Code": self._code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": 400}}
            raise ClientError(told, "UpdateItem")
        return self._client.update_item(**asked)


@pytest.mark.parametrize(
    ("error", "said"), [(KeyError("currency"), "KeyError: 'currency'"), (SystemExit("no currency"), "SystemExit: no")]
)
def test_a_failed_backfill_says_on_which_item_and_why(here, error, said):
    def minor(item):
        if item["id"]["S"] == "order-7":
            raise error
        return {":new": {"N": "1"}}

    expand = Backfill("orders", "attribute_not_exists(total_minor)", "SET total_minor = :new", computed=minor)
    here.migrations = (renaming(expand=expand),)
    here.put(*map(order, range(9)))
    told = here.run("expand", "r1")
    assert told["reason"].startswith(f'0001_total: on the item id "order-7": {said}')
    assert here.run("status")["progress"]["migrations"][0]["reason"] == told["reason"]


def test_an_item_that_would_grow_too_large_is_named(here):
    here.migrations = (renaming(expand=MARK._replace(update="SET marked = large")),)
    here.put(order(1), order(2, large={"S": "x" * 300_000}))
    told = here.run("expand", "r1")
    assert told["status"] == "failed"
    assert told["reason"].startswith('0001_total: on the item id "order-')
    assert "ValidationException" in told["reason"]


def test_an_expression_that_is_none_fails_before_any_item(here):
    here.migrations = (renaming(expand=MARK._replace(where="attribute_not_exists(marked) AND"), down=None),)
    here.put(order(1))
    told = here.run("expand", "r1")
    assert told["reason"].startswith("0001_total: ValidationException: ")
    here.migrations = (renaming(checksum="mended"),)
    assert here.run("expand", "r2")["status"] == "done"


@pytest.mark.parametrize("code", ["ProvisionedThroughputExceededException", "ThrottlingException"])
def test_a_throttled_item_is_gone_on_with_and_what_was_done_counts(here, monkeypatch, code):
    monkeypatch.setattr(rounds, "SEGMENTS", 1)
    here.put(*map(order, range(30)))
    client = Faulty(here.client, code, {"order-20"}, times=2)
    told = here.runner(client=client).run(Request("expand", "r1"))
    assert told["status"] == "more"
    assert told["progress"]["trouble"] == f'on the item id "order-20": {code}: no'
    assert here.journal().entries[1].progress.written > 0
    assert here.runner(client=client).run(Request("expand", "r1"))["status"] == "more"
    assert here.runner(client=client).run(Request("expand", "r1"))["status"] == "done"
    assert {item["runs"]["N"] for item in here.items().values()} == {"1"}
    assert here.journal().entries[1].progress.written == 30


def test_a_table_that_is_not_there_fails_by_its_name(here):
    here.server.drop_table(here.orders)
    for options in ({}, {"dry_run": True}):
        told = here.run("expand", "r1", **options)
        assert told["status"] == "failed"
        assert f"there is no table {here.orders}" in told["reason"]
    here.orders = here.server.create_table("orders", partition_key="id")
    here.put(order(1))
    assert here.run("expand", "r2")["status"] == "done"


def test_a_table_that_is_being_made_is_waited_for(here):
    class Creating:
        def __getattr__(self, operation):
            return getattr(here.client, operation)

        def describe_table(self, **asked):
            told = here.client.describe_table(**asked)
            return {"Table": {**told["Table"], "TableStatus": "CREATING"}}

    told = here.runner(client=Creating()).run(Request("expand", "r1"))
    assert (told["status"], told["progress"]["trouble"]) == ("more", f"the table {here.orders} is still being made")


def test_an_empty_table_is_through_at_once(here):
    assert here.run("expand", "r1")["status"] == "done"
    assert here.journal().entries[1].progress[:3] == (("end",) * 4, 0, 0)


@pytest.mark.parametrize(
    ("kinds", "keys", "said"),
    [
        ({"id": "S"}, [{"id": {"S": name}} for name in ("ä", "名前", "\N{ROCKET}", 'a"b')], 'id "ä"'),
        ({"id": "N"}, [{"id": {"N": str(n)}} for n in (-1, 0, 10, 2.5)], "id -1"),
        ({"id": "B"}, [{"id": {"B": bytes([n, 255 - n])}} for n in range(4)], "id 0x00ff"),
        ({"shop": "S", "at": "N"}, [{"shop": {"S": "s"}, "at": {"N": str(n)}} for n in range(4)], 'shop "s", at 0'),
    ],
)
def test_keys_of_every_type_are_gone_on_from_and_named(monkeypatch, kinds, keys, said):
    monkeypatch.setattr(backfill, "PAGE", 1)
    server, clock = DynamoWithin(), TurnedClock()
    client, name = server.client(), server.create_table(**kinds)

    def way(change, progress):
        return Rounds(Table(client, name), change, Pace(clock, 1e9, Reserved()), clock, progress)

    for key in keys:
        client.put_item(TableName=name, Item=key)
    entry = Entry("n", "c", "expanding", "r", 0)
    while not ended(entry.progress):
        passing = way(MARK, entry.progress)
        passing.change(passing.find())
        journal = Journal({1: entry._replace(progress=passing.progress)})
        entry = Journal.loads(journal.dumps()).entries[1]
    assert entry.progress.written == entry.progress.read == len(keys)
    assert all(item["marked"] == {"BOOL": True} for item in server.items(name))

    for key in keys[1:]:
        client.delete_item(TableName=name, Key=key)
    failing = way(MARK._replace(where="attribute_exists(marked)", computed=lambda item: 1 / 0), Progress())
    while not failing.find():
        pass
    with pytest.raises(ItemError) as raised:
        failing.change(1)
    assert str(raised.value) == f"on the item {said}: ZeroDivisionError: division by zero"


def writes_at(here, monkeypatch):
    """Note when each write to an order begins."""
    begun = []
    update = Table._update
    monkeypatch.setattr(Table, "_update", lambda *given: (begun.append(here.clock.now_s), update(*given))[1])
    return begun


@pytest.mark.parametrize("per_s", [0.05, 0.3, 2, 7.5])
def test_a_slow_backfill_keeps_its_pace_over_invocations(here, monkeypatch, per_s):
    here.put(*map(order, range(12)))
    began, at = here.clock.now_s, writes_at(here, monkeypatch)
    answers = [here.runner(slice_s=20, writes_per_s=per_s).run(Request("expand", "r1"))]
    while answers[-1]["status"] == "more":
        assert here.clock.now_s - began <= (20 + ROUND_S) * len(answers), "no invocation outlives its function"
        answers.append(here.runner(slice_s=20, writes_per_s=per_s).run(Request("expand", "r1")))
    assert [moment - began for moment in at] == pytest.approx([n / per_s for n in range(12)])
    assert here.journal().entries[1].progress.written == 12


@pytest.mark.parametrize("per_s", [0.01, 0.5, 4])
@pytest.mark.parametrize("after", [False, True])
def test_runners_that_are_killed_write_no_faster_together(here, monkeypatch, per_s, after):
    here.put(*map(order, range(8)))
    at = writes_at(here, monkeypatch)
    told, calls = None, 8
    while told is None or told["status"] == "more":
        client = MortalClient(here.client, calls, after=after)
        try:
            told = here.runner(client=client, slice_s=20, writes_per_s=per_s).run(Request("expand", "r1"))
        except Killed:
            here.clock.sleep(LEASE_S)
            calls += 1
    # A killed runner's last call may have been a write's.
    assert len(at) >= 8
    assert all(later - earlier >= 1 / per_s - 1e-6 for earlier, later in pairwise(at))


def test_a_higher_rate_is_not_held_up_by_the_lower_one_before(here, monkeypatch):
    here.put(*map(order, range(8)))
    told = here.runner(slice_s=20, writes_per_s=0.0001).run(Request("expand", "r1"))
    assert told["status"] == "more"
    began = here.clock.now_s
    assert here.runner(slice_s=20, writes_per_s=100).run(Request("expand", "r1"))["status"] == "done"
    assert here.clock.now_s - began < 1


def test_what_needs_no_change_costs_no_time(here):
    here.put(*[order(n, total_minor={"N": "1"}) for n in range(300)])
    began = here.clock.now_s
    assert here.runner(slice_s=0, writes_per_s=0.01).run(Request("expand", "r1"))["status"] == "more"
    assert here.runner(slice_s=20, writes_per_s=0.01).run(Request("expand", "r1"))["status"] == "done"
    assert here.clock.now_s == began

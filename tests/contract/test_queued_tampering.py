"""What lies in the table of queued requests is not trusted: whatever it is, it has a defined end."""

import pytest

from tests.contract.queue_rig import BOUND, EXPIRY_MS
from tidegate.overflow.queue import Accepted
from tidegate.overflow.sqs import Message

ODD = {
    "nonce": [{"N": "1"}, None],
    "state": [{"S": "flying"}, {"N": "1"}, {"L": []}, None],
    "principal": [{"B": b"key:ann"}, None],
    "queue": [{"M": {}}],
    "place": [{"NULL": True}],
    "fingerprint": [{"SS": ["print"]}],
    "expires_ms": [{"S": "soon"}, {"N": "1.5"}, {"N": "1E+100"}, None],
    "runs": [{"S": "1"}, {"N": "-1E-100"}],
    "parts": [{"N": "1000000000"}, {"N": "-1"}, {"S": "x"}],
    "request": [{"S": "whole"}],
    "secret": [{"N": "1"}],
    "credentials": [{"BOOL": False}],
}


def change(queue_rig, pk, attribute, value):
    """Write what nobody of ours would."""
    update, values = ("REMOVE #a", {}) if value is None else ("SET #a = :v", {":v": value})
    queue_rig.client.call(
        "UpdateItem",
        TableName=queue_rig.table,
        Key={"pk": {"S": pk}},
        UpdateExpression=update,
        ExpressionAttributeNames={"#a": attribute},
        **({"ExpressionAttributeValues": values} if values else {}),
    )


@pytest.mark.parametrize(("attribute", "value"), [(name, value) for name, values in ODD.items() for value in values])
def test_an_item_that_can_t_be_read_has_failed_and_is_buried(queue_rig, attribute, value):
    item, _ = queue_rig.accept()
    change(queue_rig, f"request#{item.id}", attribute, value)
    found = queue_rig.queue.find(item.id)
    assert (found.state, found.unreadable, found.request) == ("failed", True, b"")
    assert queue_rig.accept()[1] == "unreadable", "its key's retry learns of it"

    queue_rig.queue.bury(found._replace(nonce=item.nonce))
    assert queue_rig.dead.sent == [Message(item.id, item.nonce)]
    kept = queue_rig.client.call("GetItem", TableName=queue_rig.table, Key={"pk": {"S": f"request#{item.id}"}})["Item"]
    assert kept["state"] == {"S": "failed"}
    assert "request" not in kept


@pytest.mark.parametrize(
    ("value", "found"),
    [({"S": "never"}, True), ({"N": "99999999999999999999"}, True), (None, True), ({"N": "-1"}, False)],
)
def test_an_item_whose_end_is_none_ends_by_its_state_alone(queue_rig, value, found):
    item, _ = queue_rig.accept()
    change(queue_rig, f"request#{item.id}", "expires_at", value)
    assert (queue_rig.queue.find(item.id) is not None) is found


@pytest.mark.parametrize(
    "entry", [{"N": "1"}, {"S": "soon:id"}, {"S": ""}, {"S": f"{10**14}:id"}, {"M": {}}, {"L": []}]
)
def test_an_entry_that_is_none_takes_nobody_s_place(queue_rig, entry):
    for number in range(BOUND - 1):
        queue_rig.accept(f"key-{number}")
    pk = f"queue#{queue_rig.item().queue}"
    waiting = queue_rig.client.call("GetItem", TableName=queue_rig.table, Key={"pk": {"S": pk}})["Item"]["waiting"]["M"]
    change(queue_rig, pk, "waiting", {"M": {**waiting, "odd": entry, queue_rig.item("mine").place: entry}})
    item, accepted = queue_rig.accept("mine")
    assert accepted == Accepted(item.id, BOUND)
    assert queue_rig.waiting.position(item.queue, item.place) == BOUND
    assert queue_rig.accept("one too many")[1] == "full"


@pytest.mark.parametrize("waiting", [{"S": "x"}, {"L": []}, {"N": "1"}, {"SS": ["x"]}, None])
def test_a_map_that_is_none_begins_anew(queue_rig, waiting):
    first, _ = queue_rig.accept("first")
    change(queue_rig, f"queue#{first.queue}", "waiting", waiting)
    assert queue_rig.waiting.position(first.queue, first.place) is None
    second, accepted = queue_rig.accept("second")
    assert accepted == Accepted(second.id, 1)


@pytest.mark.parametrize("part", [{"S": "text"}, {"N": "1"}])
def test_a_part_of_an_answer_that_is_none_is_missing(queue_rig, part):
    queue_rig.accept()
    item = queue_rig.queue.find(queue_rig.item().id)
    queue_rig.queue.end(item, b"h" * 400_000)
    change(queue_rig, f"request#{item.id}#1", "record", part)
    assert queue_rig.queue.record(queue_rig.queue.find(item.id)) == b"h" * 350_000


def secret_of(queue_rig, secret, credentials="", key="one"):
    item = queue_rig.item(key)._replace(secret=secret, credentials=credentials)
    return queue_rig.queue.accept(item), queue_rig.queue.find(item.id)


def test_a_name_stays_with_who_was_told_it(queue_rig):
    accepted, first = secret_of(queue_rig, "one")
    assert accepted.id == f"{first.id}.one"
    assert secret_of(queue_rig, "two")[0].id == f"{first.id}.one", "a retry is told the same"
    queue_rig.queue.close(first, "cancelled")
    assert secret_of(queue_rig, "three")[0].id == f"{first.id}.one", "and who asks anew"
    queue_rig.clock.advance(EXPIRY_MS / 1000)
    assert secret_of(queue_rig, "four")[0].id == f"{first.id}.one"


def test_a_name_is_told_to_no_other_credential(queue_rig):
    _, first = secret_of(queue_rig, "one", "ann")
    assert secret_of(queue_rig, "two", "bob")[0] == "other payload"
    queue_rig.queue.close(first, "cancelled")
    accepted, second = secret_of(queue_rig, "two", "bob")
    assert accepted.id == f"{first.id}.two"
    assert second.belongs_to("key:ann", "bob")
    assert not second.belongs_to("key:ann", "ann")


def test_only_the_whole_name_finds_it(queue_rig):
    accepted, item = secret_of(queue_rig, "s3cret")
    assert queue_rig.queue.find_public(accepted.id) == item
    for name in (item.id, f"{item.id}.", f"{item.id}.s3cre", f"{item.id}.s3crets", f"{item.id}.S3CRET", "", ".s3cret"):
        assert queue_rig.queue.find_public(name) is None


def test_what_an_earlier_release_has_kept_is_found_by_the_name_it_told(queue_rig):
    item, _ = queue_rig.accept()
    for attribute in ("secret", "credentials"):
        change(queue_rig, f"request#{item.id}", attribute, None)
    found = queue_rig.queue.find_public(item.id)
    assert (found.secret, found.credentials, found.unreadable) == ("", "", False)

"""A dead letter that an operator sends back: what failed runs once more, or the log says why it doesn't."""

import contextlib

import pytest

from tests.harness.queues import client
from tests.http.faces import Function
from tests.http.overflow.exports import export, read
from tidegate import ProblemError
from tidegate.overflow.state import MOST_RUNS


@pytest.fixture
def table(stores, dynamo_client):
    """`table(changes)`: changes the one request that is kept; without changes it is gone."""

    def changed(**changes):
        [item] = [i for i in stores.dynamo.items(stores.table) if i["pk"]["S"].startswith("request#")]
        if changes:
            dynamo_client.put_item(TableName=stores.table, Item=item | changes)
        else:
            dynamo_client.delete_item(TableName=stores.table, Key={"pk": item["pk"]})

    return changed


@pytest.fixture
def failed(api, table, behind, work):
    """A request that was begun too often, as one whose workers have died; it lies in the dead letters."""
    accepted = export(api, 1)
    assert accepted.status_code == 202
    table(runs={"N": str(MOST_RUNS)}, state={"S": "running"})
    work(behind).poll()
    answer = read(api, accepted)
    assert (answer.status_code, answer.json()["type"]) == (500, "urn:tidegate:problem:request-failed")
    return accepted


def redrive(queues):
    """Move the dead letters back, as `start-message-move-task` does: each keeps what it says, and its group."""
    with contextlib.closing(client(queues.endpoint_url)) as sqs:
        found = sqs.receive_message(
            QueueUrl=queues.dead_letters, MaxNumberOfMessages=10, AttributeNames=["MessageGroupId"]
        ).get("Messages", [])
        for number, letter in enumerate(found):
            sqs.send_message(
                QueueUrl=queues.requests,
                MessageBody=letter["Body"],
                MessageGroupId=letter["Attributes"]["MessageGroupId"],
                MessageDeduplicationId=f"{letter['MessageId']}-{number}",
            )
            sqs.delete_message(QueueUrl=queues.dead_letters, ReceiptHandle=letter["ReceiptHandle"])
    return len(found)


def test_a_rerun_is_run_once_and_its_client_finds_the_answer(api, failed, behind, work, queues):
    assert redrive(queues) == 1
    work(behind).poll()
    assert behind.numbers == [1]
    assert read(api, failed).status_code == 201
    assert (queues.messages(), queues.messages(queues.dead_letters)) == (0, 0)


def test_a_rerun_that_has_to_wait_comes_again(api, failed, new_exports, work, queues):
    redrive(queues)
    work(new_exports()).poll()
    waits = read(api, failed)
    assert (waits.status_code, waits.json()["state"]) == (202, "queued")
    assert queues.messages() == 1


def test_a_rerun_of_what_has_run_meanwhile_is_refused_with_words(api, failed, behind, work, queues, log):
    redrive(queues)
    work(behind).poll()
    with contextlib.closing(client(queues.endpoint_url)) as sqs:
        sqs.send_message(
            QueueUrl=queues.dead_letters,
            MessageBody=letter_of(failed, log),
            MessageGroupId="operator",
            MessageDeduplicationId="again",
        )
    redrive(queues)
    work(behind).poll()
    assert behind.numbers == [1]
    refused = [line for line in log.all if line["message"] == "dead letter not run"]
    assert "it is done" in refused[-1]["detail"]
    assert queues.messages() == 0


def letter_of(accepted, log):
    """A dead letter of a request, made by hand from what the log has named."""
    [given_up] = [line for line in log.all if line["message"] == "queued request given up"]
    assert accepted.json()["id"].startswith(given_up["request"])
    return given_up["letter"]


def test_a_rerun_of_what_is_gone_is_refused_with_words(failed, table, behind, work, queues, log):
    table()
    redrive(queues)
    work(behind).poll()
    assert (behind.numbers, queues.messages()) == ([], 0)
    refused = [line for line in log.all if line["message"] == "dead letter not run"]
    assert "isn't kept any more" in refused[-1]["detail"]


def test_what_fails_again_is_a_dead_letter_again(api, failed, table, behind, work, queues):
    table(request={"B": b"\x00"})
    redrive(queues)
    work(behind).poll()
    assert (behind.numbers, queues.messages(), queues.messages(queues.dead_letters)) == ([], 0, 1)
    assert "can't be read" in read(api, failed).json()["detail"]


def test_a_wait_beyond_the_end_is_the_answer_and_those_behind_go_on(api, behind, work, queues):
    accepted = [export(api, n) for n in (1, 2)]
    behind.fails_with = ProblemError(503, "busy", "Busy", headers={"Retry-After": "100000"})
    work(behind).poll()
    assert behind.numbers == [1, 2]
    assert [read(api, each).json()["type"] for each in accepted] == ["urn:tidegate:problem:busy"] * 2
    assert queues.messages() == 0


def test_the_queue_is_bounded_over_all_callers(new_exports, closing):
    api = closing.enter_context(contextlib.closing(Function(new_exports(queue_bound_of_all=2).app)))
    for caller in ("alice", "bob", "carol"):
        assert export(api, 0, caller).status_code == 201
    assert export(api, 1).status_code == 202
    assert export(api, 1, "bob").status_code == 202
    full = export(api, 1, "carol")
    assert full.status_code == 429
    assert "full" in full.json()["detail"]
    assert int(full.headers["retry-after"]) >= 1

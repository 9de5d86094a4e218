"""The queue of what overflows: in order, bounded in time, and drained by a worker that may do no more than that."""

import json
import zipfile

from infra.artefacts import function_code
from tidegate_build.assets import Workspace
from tidegate_build.targets import HOST

from .conftest import ROOT
from .test_grants import as_list, statements


def queues(synthesized):
    found = synthesized.resources("AWS::SQS::Queue")
    ((queue,), (dead,)) = ([name for name in found if ("Dead" in name) == is_dead] for is_dead in (False, True))
    return queue, dead, found[queue]["Properties"], found[dead]["Properties"]


def test_both_queues_keep_the_order_and_the_first_gives_up_to_the_second(synthesized):
    _, dead_id, queue, dead = queues(synthesized)
    assert queue["FifoQueue"] is dead["FifoQueue"] is True
    assert (queue["DeduplicationScope"], queue["FifoThroughputLimit"]) == ("messageGroup", "perMessageGroupId")
    assert "ContentBasedDeduplication" not in queue
    assert queue["RedrivePolicy"]["deadLetterTargetArn"] == {"Fn::GetAtt": [dead_id, "Arn"]}
    assert queue["RedrivePolicy"]["maxReceiveCount"] == 1000
    assert dead["MessageRetentionPeriod"] > queue["MessageRetentionPeriod"]


def test_a_message_is_hidden_for_longer_than_a_worker_lives(synthesized):
    _, _, queue, _ = queues(synthesized)
    worker = synthesized.function("worker")
    assert worker["Handler"] == "functions.worker.handler.handler"
    assert queue["VisibilityTimeout"] == 6 * worker["Timeout"]
    assert worker["Timeout"] * 2 / 3 >= synthesized.function("api")["Timeout"]


def test_the_workers_alias_is_fed_within_a_cap_and_reports_failures(synthesized):
    queue_id, _, _, _ = queues(synthesized)
    ((alias_id, _),) = synthesized.of_function("AWS::Lambda::Alias", "worker").items()
    mapping = synthesized.only("AWS::Lambda::EventSourceMapping")
    assert mapping["EventSourceArn"] == {"Fn::GetAtt": [queue_id, "Arn"]}
    assert alias_id in json.dumps(mapping["FunctionName"])
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["ScalingConfig"] == {"MaximumConcurrency": synthesized.stage.worker_concurrency}
    assert mapping["BatchSize"] == 10


def test_the_api_sends_and_counts_and_the_worker_receives_and_no_more(synthesized):
    queue_id, dead_id, _, _ = queues(synthesized)

    def granted(name):
        return {
            (statement["Resource"]["Fn::GetAtt"][0], action.removeprefix("sqs:"))
            for statement in statements(synthesized, name)
            for action in as_list(statement["Action"])
            if action.startswith("sqs:")
        }

    assert granted("api") == {(queue_id, "SendMessage"), (queue_id, "GetQueueAttributes")}
    received = {"ChangeMessageVisibility", "DeleteMessage", "GetQueueAttributes", "ReceiveMessage"}
    assert granted("worker") == {(queue_id, action) for action in received} | {(dead_id, "SendMessage")}


def test_both_know_the_queue_and_the_worker_its_dead_letters(synthesized):
    queue_id, dead_id, _, _ = queues(synthesized)
    api, worker = (synthesized.function(name)["Environment"]["Variables"] for name in ("api", "worker"))
    assert api["TIDEGATE_QUEUE_URL"] == worker["TIDEGATE_QUEUE_URL"] == {"Ref": queue_id}
    assert worker["TIDEGATE_DEAD_LETTER_URL"] == {"Ref": dead_id}
    assert set(worker) - set(api) == {"TIDEGATE_DEAD_LETTER_URL"}


def test_the_worker_ships_the_application_that_it_runs():
    with zipfile.ZipFile(function_code(Workspace.at(ROOT), "worker", HOST).path) as bundle:
        names = set(bundle.namelist())
    assert {"functions/worker/handler.py", "functions/api/app.py", "functions/__init__.py"} <= names

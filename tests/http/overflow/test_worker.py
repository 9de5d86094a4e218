"""The worker: what it runs again, what it waits for, what it buries, and what it survives."""

import contextlib

import pytest

from tests.harness.lambda_events import LambdaContext
from tests.harness.queues import client
from tests.harness.waiting import eventually
from tests.http.overflow.exports import export, order, read
from tidegate import ProblemError, StoreUnavailableError, TokenBucket, UnsupportedEventError


def test_a_request_beyond_the_limit_keeps_the_queue_behind_it_waiting(api, exports, work, queues):
    accepted = [export(api, n) for n in (1, 2)]
    work(exports).poll()
    assert exports.numbers == [0]
    assert [read(api, a).json()["state"] for a in accepted] == ["queued", "queued"]
    assert queues.messages() == 2
    assert work(exports).poll() == 0, "they are away until the limit admits"
    assert queues.messages(queues.dead_letters) == 0


def test_a_worker_waits_for_a_moment_itself(new_exports, face, closing, work):
    brisk = new_exports(TokenBucket("20/s", burst=1))
    api = closing.enter_context(contextlib.closing(face(brisk.app)))
    answers = [export(api, n) for n in range(20)]
    accepted = [a for a in answers if a.status_code == 202]
    assert accepted
    source = work(brisk)
    eventually(lambda: not source.poll(), within_s=30)
    assert sorted(brisk.numbers) == sorted({n for n, a in enumerate(answers) if a.status_code in {201, 202}})
    assert {read(api, a).status_code for a in accepted} == {201}


def test_an_answer_that_says_to_come_again_is_come_again_for_a_while(api, behind, work, queues):
    behind.fails_with = ProblemError(503, "busy", "Busy", headers={"Retry-After": "0"})
    accepted = export(api, 1)
    work(behind).poll()
    assert behind.numbers == [1] * 5
    answer = read(api, accepted)
    assert (answer.status_code, answer.json()["type"]) == (503, "urn:tidegate:problem:busy")
    assert queues.messages() == 0


def test_a_message_that_comes_twice_runs_once(api, behind, work, queues):
    accepted = export(api, 1)
    source = work(behind)
    with contextlib.closing(client(queues.endpoint_url)) as sqs:
        [message] = sqs.receive_message(
            QueueUrl=queues.requests, AttributeNames=["MessageGroupId"], VisibilityTimeout=600
        )["Messages"]
    assert [source.deliver([message], delete=False) for _ in range(3)] == [{"batchItemFailures": []}] * 3
    assert behind.numbers == [1]
    assert read(api, accepted).status_code == 201


@pytest.mark.parametrize("ask", [export, order])
def test_a_worker_that_dies_before_its_report_has_run_all_the_same(api, behind, work, ask):
    accepted = ask(api, 1)
    queue = behind.gate._lifecycle.environment.queue()
    end, queue.end = queue.end, _dies
    source = work(behind)
    source.poll()
    assert read(api, accepted).json() == {"state": "running"}

    queue.end = end
    eventually(source.poll, within_s=30)
    assert behind.numbers == [1]
    assert read(api, accepted).json()["n"] == 1


def _dies(*_):
    raise StoreUnavailableError("dynamodb", "reset")


def test_without_dynamodb_nothing_is_accepted_and_nothing_lost(api, behind, work, stores, queues):
    accepted = export(api, 1)
    stores.to_dynamo.refuse()
    assert export(api, 2).status_code == 503
    assert read(api, accepted).status_code == 503
    work(behind).poll()
    assert behind.numbers == []
    stores.to_dynamo.pass_through()
    eventually(work(behind).poll, within_s=30)
    assert behind.numbers == [1]
    assert read(api, accepted).status_code == 201


@pytest.mark.parametrize("body", ["{}", "[" * 100_000, '{"id": 1, "nonce": []}', "not JSON"])
def test_a_message_that_is_none_is_buried_and_stops_nobody(api, behind, work, queues, body):
    accepted = export(api, 1)
    with contextlib.closing(client(queues.endpoint_url)) as sqs:
        sqs.send_message(
            QueueUrl=queues.requests, MessageBody=body, MessageGroupId="stranger", MessageDeduplicationId="1"
        )
    work(behind).poll()
    assert read(api, accepted).status_code == 201
    assert queues.messages() == 0
    assert queues.messages(queues.dead_letters) == 1


def test_a_worker_starts_its_application_and_each_run_has_its_state(api, behind, work):
    log = []

    @contextlib.asynccontextmanager
    async def lifespan(_):
        log.append("opened")
        yield {"pool": "open"}
        log.append("closed")

    @behind.app.middleware("http")
    async def sees(request, call_next):
        log.append(request.state.pool)
        return await call_next(request)

    behind.app.router.lifespan_context = lifespan
    export(api, 1)
    source = work(behind)
    assert log == ["opened"]
    source.poll()
    assert behind.numbers == [1]
    assert set(log[1:]) == {"open"}


@pytest.mark.parametrize(
    ("event", "named"),
    [
        ({}, "test event"),
        (None, "null"),
        ({"Records": "none"}, "'Records'"),
        ({"Records": [{"EventSource": "aws:sns"}]}, "aws:sns"),
        ({"Records": [{"eventSource": "aws:s3", "s3": {}}]}, "aws:s3"),
        ({"Records": [{"eventSource": "aws:sqs", "messageId": "m", "receiptHandle": "r", "body": "{}"}]}, "aws:sqs"),
        ({"source": "aws.events", "detail-type": "Scheduled Event"}, "Scheduled Event"),
    ],
)
def test_a_worker_names_what_it_does_not_take(exports, closing, event, named):
    worker = exports.gate.worker(exports.app)
    closing.callback(worker.close)
    with pytest.raises(UnsupportedEventError, match="SQS FIFO") as raised:
        worker(event, LambdaContext())
    assert named in str(raised.value)

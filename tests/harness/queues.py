"""SQS queues on the engine, and the event source mapping that hands their messages to a worker."""

import contextlib
import json
import os
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config

from tests.harness.lambda_events import LambdaContext

Handler = Callable[[dict[str, Any], LambdaContext], dict[str, Any]]
_RECEIVED = ("ApproximateReceiveCount", "MessageGroupId", "SequenceNumber", "MessageDeduplicationId")


@dataclass(frozen=True)
class Queues:
    """A FIFO queue and its dead letters, as the infrastructure makes them; their URLs."""

    endpoint_url: str
    requests: str
    dead_letters: str

    @classmethod
    def create(cls, endpoint_url: str, *, visibility_s: int = 30, most_receives: int = 1000) -> "Queues":
        name = f"requests-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        with contextlib.closing(client(endpoint_url)) as sqs:
            dead = _create(sqs, f"{name}-dead", {})
            arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
            redrive = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": most_receives})
            attributes = {"VisibilityTimeout": str(visibility_s), "RedrivePolicy": redrive}
            return cls(endpoint_url, _create(sqs, name, attributes), dead)

    def messages(self, url: str | None = None) -> int:
        """How many there are, in flight or not."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        with contextlib.closing(client(self.endpoint_url)) as sqs:
            found = sqs.get_queue_attributes(QueueUrl=url or self.requests, AttributeNames=names)["Attributes"]
        return sum(int(found[name]) for name in names)


class EventSource:
    """What Lambda's event source mapping does: receives, invokes, deletes what wasn't reported as failed."""

    def __init__(self, queues: Queues, handler: Handler, *, batch: int = 10, timeout_ms: int = 30_000) -> None:
        self._queues = queues
        self._handler = handler
        self._batch = batch
        self._timeout_ms = timeout_ms
        self._sqs = client(queues.endpoint_url)

    def poll(self, wait_s: int = 0) -> int:
        """One batch; how many messages were received."""
        received = self._sqs.receive_message(
            QueueUrl=self._queues.requests,
            MaxNumberOfMessages=self._batch,
            WaitTimeSeconds=wait_s,
            AttributeNames=list(_RECEIVED),
        ).get("Messages", [])
        if received:
            self.deliver(received)
        return len(received)

    def deliver(self, received: list[dict[str, Any]], *, delete: bool = True) -> dict[str, Any]:
        """Invoke the worker with these messages; without `delete` they stay, as when the deletion is lost."""
        answer = self._handler({"Records": [_record(m) for m in received]}, LambdaContext(timeout_ms=self._timeout_ms))
        failed = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
        for message in received:
            if delete and message["MessageId"] not in failed:
                self._sqs.delete_message(QueueUrl=self._queues.requests, ReceiptHandle=message["ReceiptHandle"])
        return answer

    def close(self) -> None:
        self._sqs.close()


def client(endpoint_url: str) -> Any:
    """A boto3 SQS client; the caller closes it."""
    return boto3.client(
        "sqs",
        endpoint_url=endpoint_url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(connect_timeout=5, read_timeout=30, retries={"total_max_attempts": 2}),
    )


def _create(sqs: Any, name: str, attributes: dict[str, str]) -> str:
    return str(sqs.create_queue(QueueName=f"{name}.fifo", Attributes={"FifoQueue": "true", **attributes})["QueueUrl"])


def _record(message: dict[str, Any]) -> dict[str, Any]:
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message["Attributes"],
        "messageAttributes": {},
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:requests.fifo",
        "awsRegion": "us-east-1",
    }

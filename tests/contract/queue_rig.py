"""The queue of accepted requests on the engine, with messages that are looked at, and a clock that stands still."""

import os
import uuid

from tidegate import StoreUnavailableError
from tidegate.overflow.dynamodb_positions import WaitingTable
from tidegate.overflow.dynamodb_requests import RequestTable
from tidegate.overflow.queue import RequestQueue
from tidegate.overflow.sqs import Message, SqsQueue
from tidegate.overflow.state import QueuedItem
from tidegate.stores.dynamodb.client import DynamoClient, DynamoTimeouts
from tidegate.testing import FakeClock

BOUND, EXPIRY_MS = 3, 60_000
AMPLE = DynamoTimeouts(20, 20)


class Messages(SqsQueue):
    """What was sent, in order; fails when told to, before it has sent or after."""

    def __init__(self):
        super().__init__("https://sqs/1/q.fifo")
        self.sent: list[Message] = []
        self.fails: str | None = None

    def send(self, message, group):
        if self.fails != "before":
            self.sent.append(message)
        if self.fails:
            raise StoreUnavailableError("sqs", "timeout")


class Rig:
    """A queue on the engine, whose messages are looked at."""

    def __init__(self, dynamo, table, bound=BOUND, remembers_s=0.0, endpoint_url=None):
        os.environ["AWS_ENDPOINT_URL"] = endpoint_url or dynamo.endpoint_url
        self.clock, self.messages, self.dead = FakeClock(), Messages(), Messages()
        self.client, self.table = client, _ = DynamoClient(AMPLE, region="us-east-1"), table
        self.requests = RequestTable(client, table, self.clock, 3_600_000)
        self.waiting = WaitingTable(client, table, self.clock, bound, remembers_s)
        self.queue = RequestQueue(
            self.requests, self.waiting, self.messages, self.dead, self.clock, expiry_ms=EXPIRY_MS, bound=bound
        )
        self.run = uuid.uuid4().hex

    def item(self, key="one", fingerprint="print", queue="ann"):
        place = f"{self.run}-{key}"
        return QueuedItem(
            place, uuid.uuid4().hex, "queued", "key:ann", f"{self.run}-{queue}", place, fingerprint, 0, request=b"whole"
        )

    def accept(self, key="one", **rest):
        item = self.item(key, **rest)
        return item, self.queue.accept(item)

    def waiting_now(self, queue="ann"):
        """How many places are taken, by the item itself."""
        found = self.client.call("GetItem", TableName=self.table, Key={"pk": {"S": f"queue#{self.run}-{queue}"}})
        ends = [int(e["S"].partition(":")[0]) for e in found.get("Item", {}).get("waiting", {"M": {}})["M"].values()]
        return sum(end > self.queue.now_ms() for end in ends)

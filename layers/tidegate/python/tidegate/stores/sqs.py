"""The way to SQS: messages that name a queued request, in the order of their principal. The request itself is kept
in DynamoDB (the claim check of Hohpe and Woolf, "Enterprise Integration Patterns"), so a message is small.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from tidegate.errors import StoreUnavailableError
from tidegate.identity import digest
from tidegate.stores.aws import session, unavailable
from tidegate.stores.deferred import Deferred

_CONNECT_S = 0.5
_READ_S = 2.0
_ATTEMPTS = 2
_LONGEST_INVISIBLE_S = 43_200
_AT_ONCE = 10


class Message(NamedTuple):
    """What a message says.

    Attributes:
        id: the request's.
        nonce: the acceptance's.
    """

    id: str
    nonce: str

    @classmethod
    def read(cls, body: str) -> Message:
        """Read a message's body.

        Raises:
            ValueError: it is something else.
        """
        try:
            read = json.loads(body)
            return cls(str(read["id"]), str(read["nonce"]))
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError("this body is no message of a queued request") from error

    def body(self) -> str:
        """Return the message's body."""
        return json.dumps(self._asdict())


class SqsQueue:
    """Sends messages to one FIFO queue, and puts off what a worker has got; thread-safe.

    Args:
        url: the queue's.
        region: the region; boto's own settings if None.
    """

    def __init__(self, url: str, region: str | None = None) -> None:
        self._url = url
        self._region = region
        self._client = Deferred(self._make)

    def send(self, message: Message, group: str) -> None:
        """Send a message; sending it again within five minutes adds none.

        Args:
            message: what it says.
            group: messages of one group are received in the order in which they were sent.

        Raises:
            StoreUnavailableError: it isn't known to be sent.
        """
        self._call(
            "SendMessage",
            MessageBody=message.body(),
            MessageGroupId=group,
            MessageDeduplicationId=digest(message.id, message.nonce),
        )

    def put_off(self, seconds: Mapping[str, int]) -> None:
        """Say when messages that were received may be received again.

        Args:
            seconds: from now on, by their receipt handles.

        Raises:
            StoreUnavailableError: not known to be done; they come when the queue's own time is up.
        """
        entries = [
            {"Id": str(number), "ReceiptHandle": receipt, "VisibilityTimeout": min(after_s, _LONGEST_INVISIBLE_S)}
            for number, (receipt, after_s) in enumerate(seconds.items())
        ]
        for start in range(0, len(entries), _AT_ONCE):
            self._call("ChangeMessageVisibilityBatch", Entries=entries[start : start + _AT_ONCE])

    def warm(self) -> None:
        """Make the client now, so that no request has to wait for it."""
        self._client()

    def _call(self, operation: str, **arguments: Any) -> None:
        try:
            self._client()._make_api_call(operation, {"QueueUrl": self._url, **arguments})  # noqa: SLF001  every public method ends here
        except Exception as error:
            fault = unavailable(error)
            raise StoreUnavailableError("sqs", fault.kind, fault.detail) from error

    def _make(self) -> Any:
        from botocore.config import Config  # noqa: PLC0415  as in `stores.aws`

        config = Config(
            connect_timeout=_CONNECT_S,
            read_timeout=_READ_S,
            retries={"total_max_attempts": _ATTEMPTS, "mode": "standard"},
            parameter_validation=False,
            tcp_keepalive=True,
        )
        return session().create_client("sqs", region_name=self._region, config=config)

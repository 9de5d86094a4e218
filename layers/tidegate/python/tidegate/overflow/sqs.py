"""Sending to SQS: each message names a queued request, and those of one principal are in order. The request itself is
kept in DynamoDB (the claim check of Hohpe and Woolf, "Enterprise Integration Patterns"), so a message is small.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple, Self

from tidegate.digests import digest
from tidegate.errors import StoreUnavailableError
from tidegate.lazy import Lazy
from tidegate.stores.dynamodb.client import session, unavailable

_CONNECT_S = 0.5
_READ_S = 2.0
_ATTEMPTS = 2
_LONGEST_INVISIBLE_S = 43_200
_AT_ONCE = 10
_COUNTS = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,128}", re.ASCII)  # a digest, as `digests.digest` writes it, or a UUID


class Message(NamedTuple):
    """The content of a message.

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
            ValueError: it is malformed.
        """
        try:
            read = json.loads(body)
            parts: tuple[object, object] = read["id"], read["nonce"]
            occasion = read.get("buried")
        except (KeyError, RecursionError, TypeError, ValueError) as error:
            raise ValueError("this body is no message of a queued request") from error
        texts = [part for part in parts if isinstance(part, str) and _NAME.fullmatch(part)]
        if len(texts) != len(parts):
            raise ValueError("this is no message of a queued request: its name or its nonce is none")
        name, nonce = texts
        return BuriedMessage(name, nonce, occasion) if isinstance(occasion, int) else cls(name, nonce)

    @property
    def deduplication_id(self) -> str:
        """What SQS takes two messages for one by."""
        return digest(self.id, self.nonce)

    def body(self) -> str:
        """Return the message's body."""
        return json.dumps(self._asdict())


class BuriedMessage(Message):
    """A dead letter, which names a failed request. A worker gets it only if an operator sends it back.

    Args:
        id: the request's.
        nonce: the acceptance's.
        occasion: tells this letter from an earlier one of the same request, for SQS' deduplication.
    """

    occasion: int

    def __new__(cls, id: str, nonce: str, occasion: int) -> Self:  # noqa: A002  as the tuple names it
        """Make the tuple, and keep the occasion beside it."""
        made = super().__new__(cls, id, nonce)
        made.occasion = occasion
        return made

    @property
    def deduplication_id(self) -> str:
        """What SQS takes two messages for one by."""
        return digest(self.id, self.nonce, str(self.occasion))

    def body(self) -> str:
        """Return the message's body; a release without dead letters ignores `buried`."""
        return json.dumps({**self._asdict(), "buried": self.occasion})


class SqsQueue:
    """Sends messages to one FIFO queue, and puts off received ones; thread-safe.

    Args:
        url: the queue's.
        region: the region; boto's own settings if None.
    """

    def __init__(self, url: str, region: str | None = None) -> None:
        self._url = url
        self._region = region
        self._client = Lazy(self._make)

    def send(self, message: Message, group: str) -> None:
        """Send a message; sending it again within five minutes adds none.

        Args:
            message: the message.
            group: messages of one group are received in the order in which they were sent.

        Raises:
            StoreUnavailableError: it isn't known to be sent.
        """
        self._send(message.body(), group, message.deduplication_id)

    def send_body(self, body: str, group: str) -> None:
        """Send a foreign message, unchanged; sending it again within five minutes adds none.

        Args:
            body: the message's.
            group: as for `send`.

        Raises:
            StoreUnavailableError: it isn't known to be sent.
        """
        self._send(body, group, digest("foreign", body))

    def put_off(self, seconds: Mapping[str, int]) -> None:
        """Set when messages that were received may be received again.

        Args:
            seconds: from now on, by their receipt handles.

        Raises:
            StoreUnavailableError: it isn't known to be done; the queue's own visibility timeout may stand.
        """
        entries = [
            {"Id": str(number), "ReceiptHandle": receipt, "VisibilityTimeout": min(after_s, _LONGEST_INVISIBLE_S)}
            for number, (receipt, after_s) in enumerate(seconds.items())
        ]
        for start in range(0, len(entries), _AT_ONCE):
            self._call("ChangeMessageVisibilityBatch", Entries=entries[start : start + _AT_ONCE])

    def depth(self) -> int:
        """Return about how many messages there are, including those that a worker has received.

        Raises:
            StoreUnavailableError: it can't be known.
        """
        answer = self._call("GetQueueAttributes", AttributeNames=list(_COUNTS))
        counts = answer.get("Attributes") or {}
        return sum(int(counts.get(name, 0)) for name in _COUNTS)

    def warm(self) -> None:
        """Make the client now, so that no request has to wait for it."""
        self._client()

    def _send(self, body: str, group: str, deduplication_id: str) -> None:
        self._call("SendMessage", MessageBody=body, MessageGroupId=group, MessageDeduplicationId=deduplication_id)

    def _call(self, operation: str, **arguments: Any) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = self._client()._make_api_call(operation, {"QueueUrl": self._url, **arguments})  # noqa: SLF001  every public method ends here
        except Exception as error:
            fault = unavailable(error)
            raise StoreUnavailableError("sqs", fault.kind, fault.detail) from error
        return answer

    def _make(self) -> Any:
        from botocore.config import Config  # noqa: PLC0415  heavy, and only a queue needs it

        config = Config(
            connect_timeout=_CONNECT_S,
            read_timeout=_READ_S,
            retries={"total_max_attempts": _ATTEMPTS, "mode": "standard"},
            parameter_validation=False,
            tcp_keepalive=True,
        )
        return session().create_client("sqs", region_name=self._region, config=config)

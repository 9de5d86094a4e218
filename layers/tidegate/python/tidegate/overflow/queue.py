"""The queue of accepted requests: three stores, written in the one order that loses no request.

accept    a place in the caller's queue  →  the request itself  →  its message
end       the response  →  the place given up  →  the message deleted (by its receiver)

A crash between two steps leaves a state that ends by itself: a place expires, the client's retry of a request sends its
message, and the worker drops the message of a request that has ended.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from typing import Literal, NamedTuple

from tidegate.clock import Clock
from tidegate.errors import StoreUnavailableError
from tidegate.overflow.dynamodb_positions import WaitingTable
from tidegate.overflow.dynamodb_requests import RequestTable
from tidegate.overflow.room import QueueRoom
from tidegate.overflow.sqs import BuriedMessage, Message, SqsQueue
from tidegate.overflow.state import ENDED, QueuedItem, RequestState
from tidegate.settings import Settings
from tidegate.stores.dynamodb.client import DynamoClient
from tidegate.telemetry import logger


class Accepted(NamedTuple):
    """A request that waits, or has waited.

    Attributes:
        id: its public name.
        position: how many requests wait in its caller's queue up to it.
    """

    id: str
    position: int


class RequestQueue:
    """Accepts requests, and moves them on; its methods block, and may be called from any thread.

    Args:
        requests: the table of requests.
        waiting: the table of the principals' queues.
        messages: the queue of the workers.
        dead_letters: the queue for messages whose request can't be run; None: there is none.
        clock: gives the time.
        expiry_ms: how long a request waits at most.
        bound: how many requests of one principal may wait.

    Attributes:
        bound: the same.
        room: bounds the requests of all callers together; None: nothing does.
    """

    def __init__(
        self,
        requests: RequestTable,
        waiting: WaitingTable,
        messages: SqsQueue,
        dead_letters: SqsQueue | None,
        clock: Clock,
        *,
        expiry_ms: int,
        bound: int,
    ) -> None:
        self._requests = requests
        self._waiting = waiting
        self._messages = messages
        self._dead_letters = dead_letters
        self._clock = clock
        self._expiry_ms = expiry_ms
        self.bound = bound
        self.room: QueueRoom | None = None

    @classmethod
    def of(cls, settings: Settings, client: DynamoClient, table: str, clock: Clock) -> RequestQueue:
        """Return the queue that the settings name."""
        messages, dead_letters = SqsQueue(settings.queue_url or "", settings.region), settings.dead_letter_url
        made = cls(
            RequestTable(client, table, clock, settings.idempotency_lifetime_ms),
            WaitingTable(client, table, clock, settings.queue_bound),
            messages,
            None if dead_letters is None else SqsQueue(dead_letters, settings.region),
            clock,
            expiry_ms=settings.queue_expiry_ms,
            bound=settings.queue_bound,
        )
        made.room = QueueRoom(messages.depth, clock, settings.queue_bound_of_all)
        return made

    @property
    def patience_us(self) -> int:
        """How long a request may have to wait for its limit and still be accepted; microseconds."""
        return self._expiry_ms * 1000

    @property
    def shortest_absence_s(self) -> int:
        """The least time that a message is put off. SQS makes a dead letter of a message after at most 1,000 receipts,
        so it must be received less often within its request's time.
        """
        return max(1, -(-self._expiry_ms // 900_000))

    def now_ms(self) -> int:
        """Return the time that decides whether a request has expired; epoch milliseconds."""
        return self._clock.wall_us() // 1000

    def accept(self, item: QueuedItem) -> Accepted | Literal["full", "full for all", "other payload", "unreadable"]:
        """Queue a request, or find the same one queued already.

        Args:
            item: the request; its expiry is set here.

        Raises:
            StoreUnavailableError: it isn't accepted.
        """
        if self.room is not None and not self.room.is_there():
            return "full for all"
        entry = self._waiting.enter(item.queue, item.place, item.id, self.now_ms() + self._expiry_ms)
        if entry is None:
            return "full"
        wanted = item._replace(id=entry.id, expires_ms=entry.expires_ms)
        kept = self._requests.put(wanted)
        if kept.state in ENDED:
            self._leave(wanted)
        if kept.unreadable:
            return "unreadable"
        if (kept.fingerprint, kept.credentials) != (wanted.fingerprint, wanted.credentials):
            return "other payload"
        if kept.state == "queued":
            self._send(kept, own=kept.nonce == wanted.nonce)
            if self.room is not None:
                self.room.take()
        return Accepted(kept.public_id, entry.position)

    def find(self, request_id: str) -> QueuedItem | None:
        """Return a request by its name in the stores, or None if there is none.

        Raises:
            StoreUnavailableError: it can't be read.
        """
        return self._requests.find(request_id)

    def find_public(self, public_id: str) -> QueuedItem | None:
        """Return a request by its public id, or None if there is none.

        Raises:
            StoreUnavailableError: it can't be read.
        """
        request_id, _, secret = public_id.partition(".")
        if not _ID.fullmatch(request_id):  # no id of a request: the table may have another kind of item under it
            return None
        item = self._requests.find(request_id)
        return item if item is not None and item.is_named(secret) else None

    def position(self, item: QueuedItem) -> int:
        """Return how many requests wait in the caller's queue up to this one; 1 if that isn't known.

        Raises:
            StoreUnavailableError: it can't be read.
        """
        return self._waiting.position(item.queue, item.place) or 1

    def record(self, item: QueuedItem) -> bytes:
        """Return a request's response, as it was stored.

        Raises:
            StoreUnavailableError: it can't be read.
        """
        return self._requests.record(item)

    def begin(self, item: QueuedItem) -> bool:
        """Mark a request as running; False if its state doesn't permit that.

        Raises:
            StoreUnavailableError: the outcome is unknown.
        """
        return self._requests.begin(item)

    def end(self, item: QueuedItem, record: bytes) -> None:
        """Keep a request's response, unless it has ended already.

        Raises:
            StoreUnavailableError: the outcome is unknown.
        """
        self._requests.end(item, record)
        self._leave(item)

    def close(self, item: QueuedItem, state: RequestState) -> bool:
        """End a request without a response; False if it has gone on meanwhile.

        Raises:
            StoreUnavailableError: the outcome is unknown.
        """
        closed = self._requests.close(item, state)
        if closed:
            self._leave(item)
        return closed

    def drop(self, item: QueuedItem) -> None:
        """Give up the place of a request that has ended."""
        self._leave(item)

    def bury(self, item: QueuedItem, reason: str = "") -> BuriedMessage:
        """End a request that can't be read, or was begun too often, and send its message to the dead letters.

        The requests behind it go on even if the dead letter can't be sent: the failed request is kept, and the log
        names it.

        Args:
            item: the request.
            reason: why, for its client; empty if it was begun too often.

        Returns:
            The dead letter.

        Raises:
            StoreUnavailableError: the outcome is unknown.
        """
        # The name of its queue may be what can't be read.
        group = item.queue if _ID.fullmatch(item.queue) else item.id
        letter = BuriedMessage(item.id, item.nonce, self.now_ms())
        self._to_dead_letters(lambda queue: queue.send(letter, group), item.id)
        ended = self._requests.condemn(item) if item.unreadable else self._requests.fail(item, reason)
        if ended:
            self._leave(item)
        return letter

    def revive(self, item: QueuedItem) -> QueuedItem | None:
        """Queue a failed request once more, as an operator asks by sending its dead letter; None if it can't be.

        Raises:
            StoreUnavailableError: the outcome is unknown.
        """
        return self._requests.revive(item, self.now_ms() + self._expiry_ms)

    def give_up(self, body: str, group: str) -> None:
        """Send a foreign message to the dead letters, so that it isn't received again.

        Args:
            body: the message's.
            group: the message group that it came in.
        """
        self._to_dead_letters(lambda queue: queue.send_body(body, group), body[:_LOGGED_CHARACTERS])

    def _to_dead_letters(self, send: Callable[[SqsQueue], None], what: str) -> None:
        if self._dead_letters is None:
            return
        try:
            send(self._dead_letters)
        except StoreUnavailableError as error:
            logger().error("no dead letter could be sent", extra={"request": what, "detail": str(error)})

    def put_off(self, seconds: dict[str, int]) -> None:
        """Set when messages may be received again; if that fails, the queue's own visibility timeout stands.

        Args:
            seconds: from now on, by the messages' receipt handles.
        """
        with suppress(StoreUnavailableError):
            self._messages.put_off(seconds)

    def _send(self, item: QueuedItem, *, own: bool) -> None:
        try:
            self._messages.send(_message(item), item.queue)
        except StoreUnavailableError:
            if not own or not self._goes_on(item):
                raise
            return
        # The attempt that kept the request may be about to withdraw it, if it couldn't send the message.
        if not own and not self._requests.confirm(item):
            raise StoreUnavailableError("sqs", "contended", "the request was withdrawn meanwhile")

    def _goes_on(self, item: QueuedItem) -> bool:
        """Withdraw a request whose message may not be sent; True if a worker or another attempt has it all the same."""
        if self._requests.withdraw(item):
            self._leave(item)
            return False
        found = self._requests.find(item.id)
        return found is not None and found.nonce == item.nonce and found.state != "cancelled"

    def _leave(self, item: QueuedItem) -> None:
        with suppress(StoreUnavailableError):  # the place expires
            self._waiting.leave(item.queue, item.place, item.id)


_LOGGED_CHARACTERS = 200  # of a foreign message

# A digest, as `digests.digest` writes it.
_ID = re.compile(r"[A-Za-z0-9_-]{1,128}", re.ASCII)


def _message(item: QueuedItem) -> Message:
    return Message(item.id, item.nonce)

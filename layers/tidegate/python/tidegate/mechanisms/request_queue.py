"""The queue of accepted requests: three stores in the one order that loses nothing.

    accept    a place in the caller's queue  →  the request itself  →  its message
    end       the answer  →  the place given up  →  the message deleted (by who received it)

Who dies between two steps leaves something that the next attempt, the worker or time puts right: a place that ends
by itself, a request whose retry sends its message, a message whose request has ended and is dropped.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Literal, NamedTuple

from tidegate.clock import Clock
from tidegate.errors import StoreUnavailableError
from tidegate.mechanisms.request_state import ENDED, QueuedItem, RequestState
from tidegate.stores.dynamodb_requests import RequestTable
from tidegate.stores.dynamodb_waiting import WaitingTable
from tidegate.stores.sqs import Message, SqsQueue


class Accepted(NamedTuple):
    """A request that waits, or has waited.

    Attributes:
        id: its name.
        position: how many wait in its caller's queue up to it.
    """

    id: str
    position: int


class RequestQueue:
    """Accepts requests, and moves them on; its methods block, and may be called from any thread.

    Args:
        requests: keeps them.
        waiting: keeps who waits where.
        messages: the way to the workers.
        dead_letters: where messages go that name what can't be run; None: nowhere.
        clock: where the time comes from.
        expiry_ms: how long a request waits at most.
        bound: how many requests of one principal may wait.
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

    @property
    def patience_us(self) -> int:
        """How long a request may have to wait for its limit and still be accepted; microseconds."""
        return self._expiry_ms * 1000

    @property
    def shortest_absence_s(self) -> int:
        """How long a message that is put off stays away at least: so that it isn't received 1,000 times, which is as
        often as SQS allows before it takes it for dead, within its request's time.
        """
        return max(1, -(-self._expiry_ms // 900_000))

    def now_ms(self) -> int:
        """Return the time by which requests expire; epoch milliseconds."""
        return self._clock.wall_us() // 1000

    def accept(self, item: QueuedItem) -> Accepted | Literal["full", "other payload"]:
        """Queue a request, or find the same one queued already.

        Args:
            item: as it is to be kept; when it expires is set here.

        Raises:
            StoreUnavailableError: it isn't accepted.
        """
        entry = self._waiting.enter(item.queue, item.place, item.id, self.now_ms() + self._expiry_ms)
        if entry is None:
            return "full"
        wanted = item._replace(id=entry.id, expires_ms=entry.expires_ms)
        kept = self._requests.put(wanted)
        if kept.state in ENDED:
            self._leave(wanted)
        if kept.fingerprint != wanted.fingerprint:
            return "other payload"
        if kept.state == "queued":
            self._send(kept, own=kept.nonce == wanted.nonce)
        return Accepted(kept.id, entry.position)

    def find(self, request_id: str) -> QueuedItem | None:
        """Return a request, or None if there is none of that name.

        Raises:
            StoreUnavailableError: it can't be read.
        """
        return self._requests.find(request_id)

    def position(self, item: QueuedItem) -> int:
        """Return how many wait in its caller's queue up to a request; 1 if that isn't known.

        Raises:
            StoreUnavailableError: it can't be read.
        """
        return self._waiting.position(item.queue, item.place) or 1

    def record(self, item: QueuedItem) -> bytes:
        """Return a request's answer, as it was stored.

        Raises:
            StoreUnavailableError: it can't be read.
        """
        return self._requests.record(item)

    def begin(self, item: QueuedItem) -> bool:
        """Mark a request as running; False if that may not be, or not any more.

        Raises:
            StoreUnavailableError: unknown.
        """
        return self._requests.begin(item)

    def end(self, item: QueuedItem, record: bytes) -> None:
        """Keep a request's answer, unless it has ended already.

        Raises:
            StoreUnavailableError: unknown.
        """
        self._requests.end(item, record)
        self._leave(item)

    def close(self, item: QueuedItem, state: RequestState) -> bool:
        """End a request without an answer; False if it has gone on meanwhile.

        Raises:
            StoreUnavailableError: unknown.
        """
        closed = self._requests.close(item, state)
        if closed:
            self._leave(item)
        return closed

    def drop(self, item: QueuedItem) -> None:
        """Give up the place of a request that has ended."""
        self._leave(item)

    def bury(self, item: QueuedItem) -> None:
        """End a request that was begun too often, and send its message to the dead letters.

        Raises:
            StoreUnavailableError: unknown.
        """
        if self._dead_letters is not None:
            self._dead_letters.send(_message(item), item.queue)
        self.close(item, "failed")

    def put_off(self, seconds: dict[str, int]) -> None:
        """Say when messages may come again; if that can't be said, they come in the queue's own time.

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
        # Who put it may be about to withdraw it, not having been able to send it.
        if not own and not self._requests.confirm(item):
            raise StoreUnavailableError("sqs", "contended", "the request was withdrawn meanwhile")

    def _goes_on(self, item: QueuedItem) -> bool:
        """Withdraw a request that isn't known to be sent; True if a worker or another attempt has it all the same."""
        if self._requests.withdraw(item):
            self._leave(item)
            return False
        found = self._requests.find(item.id)
        return found is not None and found.nonce == item.nonce and found.state != "cancelled"

    def _leave(self, item: QueuedItem) -> None:
        with suppress(StoreUnavailableError):  # the place ends by itself
            self._waiting.leave(item.queue, item.place, item.id)


def _message(item: QueuedItem) -> Message:
    return Message(item.id, item.nonce)

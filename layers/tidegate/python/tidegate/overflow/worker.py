"""The worker: runs queued requests through their own application, in the order of their principal.

It behaves as a good client does: its requests pass the limits as any other, wait as long as these ask, and are retried
after a 409, 429 or 503. A request that has to wait for long goes back to SQS until its time, with all that its
principal has queued behind it. Its run is claimed like that of any idempotent request, so that one run counts, however
often a worker dies or SQS delivers a message.

Batches are Powertools' `SqsFifoPartialProcessor`: a failure is reported for its principal's messages alone.
"""

from __future__ import annotations

import asyncio
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from starlette.types import ASGIApp
from starlette.types import Message as Event

from tidegate.aws_lambda.events.kind import described
from tidegate.aws_lambda.lifespan import SHUTDOWN_WITHIN_S, Lifespan, has_lifespan
from tidegate.aws_lambda.signals import end_at_sigterm
from tidegate.environment import Environment
from tidegate.errors import ConfigurationError, StoreUnavailableError, UnsupportedEventError
from tidegate.extras import need
from tidegate.idempotency.protocol import REPLAYED
from tidegate.limits.fields import LIMIT_FIELD, POLICY_FIELD
from tidegate.overflow.enqueue import run_key
from tidegate.overflow.queue import RequestQueue
from tidegate.overflow.request import OtherVersionError, QueuedRequest
from tidegate.overflow.response import LARGEST_ANSWER_BYTES, is_personal
from tidegate.overflow.run import KEY, QueuedRun, comes_again_us
from tidegate.overflow.sqs import BuriedMessage, Message
from tidegate.overflow.state import ENDED, MOST_RUNS, QueuedItem
from tidegate.overflow.turns import Line, take_in_turn
from tidegate.telemetry import logger
from tidegate.web.asgi import ResponseRecorder
from tidegate.web.stored_response import StoredResponse

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

# Shorter waits happen in the invocation: SQS counts in whole seconds, and a limit often asks for milliseconds.
PATIENCE_US = 2_000_000
# No run is begun in the last third of an invocation's time.
_KEPT_FREE = 1 / 3
# The guard's fields, which are those of the attempt and not of the handler's response.
_OF_THE_ATTEMPT = frozenset({POLICY_FIELD, LIMIT_FIELD, REPLAYED[0]})


class PutOffError(Exception):
    """A message goes back to the queue: its time hasn't come."""


class Worker:
    """The Lambda handler of the worker function.

    Args:
        app: the protected application.
        environment: returns the environment of the application.
    """

    def __init__(self, app: ASGIApp, environment: Callable[[], Environment]) -> None:
        need("aws_lambda_powertools", "lambda", "gate.worker(app)")
        self._app = app
        self._environment = environment
        self._loop = asyncio.new_event_loop()
        self._lifespan: Lifespan | None = None
        if has_lifespan(app):
            self._lifespan = Lifespan(app, self._loop)
            self._lifespan.start()
            if "AWS_LAMBDA_FUNCTION_VERSION" in os.environ:
                end_at_sigterm(self._stop)

    def __call__(self, event: dict[str, Any], context: Any) -> Any:
        """Run a batch of messages, one after the other; return those that have to be received again.

        Raises:
            ConfigurationError: there is no queue.
            UnsupportedEventError: the event is no batch of SQS messages.
        """
        _check(event)
        from aws_lambda_powertools.utilities.batch import (  # noqa: PLC0415  a worker's alone
            SqsFifoPartialProcessor,
            process_partial_response,
        )

        queue = self._environment().queue()
        if queue is None:
            raise ConfigurationError("TIDEGATE_QUEUE_URL", "a worker needs the queue that it works for; set it")
        if not event["Records"]:  # how a release asks whether a version starts at all
            return {"batchItemFailures": []}
        state = {} if self._lifespan is None else self._lifespan.state
        batch = _Batch(Runner(self._app, queue, context, state), event["Records"])
        self._loop.run_until_complete(batch.take())
        processor = SqsFifoPartialProcessor(skip_group_on_error=True)
        processor.raise_on_entire_batch_failure = False  # a message that has to wait is no failure of the function
        outcome = process_partial_response(event, batch.report, processor, context)
        failed = {failure["itemIdentifier"] for failure in outcome["batchItemFailures"]}
        queue.put_off(batch.absences(record for record in event["Records"] if record["messageId"] in failed))
        return outcome

    def close(self) -> None:
        """Run the application's shutdown, and close the event loop."""
        self._stop()
        self._loop.close()

    def _stop(self) -> None:
        if self._lifespan is not None:
            self._lifespan.stop(SHUTDOWN_WITHIN_S)


class _Batch:
    """One invocation's messages, in one line for each principal.

    Args:
        runner: runs them.
        records: the event's.
    """

    def __init__(self, runner: Runner, records: Iterable[dict[str, Any]]) -> None:
        self._runner = runner
        self._lines: defaultdict[str, Line[dict[str, Any]]] = defaultdict(Line)
        for record in records:
            self._lines[_group(record)].messages.append(record)

    async def take(self) -> None:
        """Run all messages as far as possible."""
        await take_in_turn(self._lines.values(), self._attempt, PATIENCE_US, lambda: self._runner.late)

    def report(self, record: SQSRecord) -> None:
        """Report a message to Powertools; it returns if the message is done.

        Raises:
            PutOffError: it has to be received again, and all later ones of its principal.
            Exception: what its attempt has raised; it is received again, too.
        """
        line = self._lines[str(record.attributes.message_group_id)]
        if all(left["messageId"] != record.message_id for left in line.messages):
            return
        raise line.fault or PutOffError

    def absences(self, records: Iterable[dict[str, Any]]) -> dict[str, int]:
        """Return for how many seconds each message is put off, by its receipt handle: all of a principal as long as the
        first, because SQS delivers none of a group while another one is put off.
        """
        return {record["receiptHandle"]: self._absence_s(self._lines[_group(record)]) for record in records}

    def _absence_s(self, line: Line[dict[str, Any]]) -> int:
        if line.absence_us == 0:  # there was no time left to begin it
            return 0
        return max(self._runner.queue.shortest_absence_s, -(-(line.absence_us or 0) // 1_000_000))

    async def _attempt(self, record: dict[str, Any]) -> int | None:
        try:
            message = Message.read(record["body"])
        except ValueError as error:  # another delivery would be no different
            logger().error("message buried", extra={"message_id": record["messageId"], "detail": str(error)})
            self._runner.queue.give_up(record["body"], _group(record))
            return None
        return await self._runner.attempt(message)


class Runner:
    """Runs queued requests, within one invocation.

    Args:
        app: the protected application.
        queue: holds them.
        context: the invocation's.
        state: the application's lifespan state, which each request gets.
    """

    def __init__(
        self, app: ASGIApp, queue: RequestQueue, context: Any, state: Mapping[str, Any] = MappingProxyType({})
    ) -> None:
        self._app = app
        self._state = state
        self.queue = queue
        self._context = context
        self._last_ms = context.get_remaining_time_in_millis() * _KEPT_FREE

    @property
    def late(self) -> bool:
        """Whether the invocation has too little time left to begin a run."""
        return bool(self._context.get_remaining_time_in_millis() < self._last_ms)

    async def attempt(self, message: Message) -> int | None:
        """Try to run a message's request.

        Returns:
            After how many microseconds to try again; None if it is done.

        Raises:
            StoreUnavailableError: the message has to be received again.
        """
        item = self._named(message)
        if item is None:
            return None
        if item.state in ENDED:
            self.queue.drop(item)
            return None
        if item.has_expired(self.queue.now_ms()):
            return None if self.queue.close(item, "expired") else 0
        return await self._run(item)

    def _named(self, message: Message) -> QueuedItem | None:
        """Return a message's request; None if the message is void, or the request can't be read."""
        item = self.queue.find(message.id)
        if item is not None and item.unreadable and item.nonce in {message.nonce, ""}:
            self._bury(item._replace(nonce=message.nonce), "what is kept of it can't be read")
            return None
        if item is None or item.nonce != message.nonce:  # withdrawn, or accepted again with another message
            _refuse(message, "it isn't kept any more, or was accepted anew")
            return None
        return self._revived(item, message) if isinstance(message, BuriedMessage) else item

    def _revived(self, item: QueuedItem, letter: BuriedMessage) -> QueuedItem | None:
        """Queue a failed request once more, as an operator asks by its dead letter; a revived one just goes on."""
        if item.state not in ENDED:
            return item
        revived = self.queue.revive(item) if item.state == "failed" else None
        if revived is None:
            _refuse(letter, f"it is {item.state}, and nothing is kept that could be run again")
        return revived

    async def _run(self, item: QueuedItem) -> int | None:
        request = self._request(item)
        if request is None:
            return None

        async def begin() -> bool:
            return self.queue.begin(item)

        run = QueuedRun(request.caller, run_key(request, item), begin, item.fingerprint)
        response = await self._response(request, run, item)
        if run.refused:
            return self._begun_too_often(item)
        left_us = (item.expires_ms - self.queue.now_ms()) * 1000
        again_us = comes_again_us(response, run, item.runs + 1, left_us)
        if again_us is None:
            self.queue.end(item, _record(response))
        return again_us

    def _request(self, item: QueuedItem) -> QueuedRequest | None:
        """Read a stored request; a malformed one becomes a dead letter, and None."""
        try:
            request = QueuedRequest.decode(item.request)
        except OtherVersionError as error:
            self._bury(item, str(error))
        except ValueError as error:
            self._bury(item, f"what is kept of it can't be read ({error})")
        else:
            if request.caller.principal == item.principal:
                return request
            self._bury(item, "it is not its owner's")
        return None

    async def _response(self, request: QueuedRequest, run: QueuedRun, item: QueuedItem) -> StoredResponse:
        delivered: list[StoredResponse] = []

        async def deliver(response: StoredResponse) -> None:
            delivered.append(response)

        messages: list[Event] = [{"type": "http.request", "body": request.body, "more_body": False}]

        async def receive() -> Event:
            return messages.pop() if messages else {"type": "http.disconnect"}

        scope = request.scope(state=dict(self._state), **{KEY: run, "aws.context": self._context})
        recorder = ResponseRecorder(deliver, LARGEST_ANSWER_BYTES)
        try:
            await self._app(scope, receive, recorder)
        except Exception as error:
            if not delivered and not self._is_done_with(run, item, error):
                raise
            logger().warning("a queued run raised", exc_info=True)
        finally:
            recorder.close()
        return delivered[0] if delivered else StoredResponse(503, ((b"retry-after", b"1"),), b"")

    def _is_done_with(self, run: QueuedRun, item: QueuedItem, error: Exception) -> bool:
        """Count a run that raised before it was begun. Otherwise it would be retried until it expires, and block all
        that its principal has queued behind it. A store's outage isn't counted, as it isn't the request's fault.
        """
        if not run.begun and not isinstance(error, StoreUnavailableError):
            run.refused = run.refused or not self.queue.begin(item)
        return run.refused

    def _begun_too_often(self, item: QueuedItem) -> int | None:
        if item.runs < MOST_RUNS:  # it was cancelled, or expired, just now
            return 0
        self._bury(item, "")
        return None

    def _bury(self, item: QueuedItem, why: str) -> None:
        letter = self.queue.bury(item, why)
        logger().error(
            "queued request given up",
            # An operator can send this letter again if it is lost, to have the request run.
            extra={"request": item.id, "runs": item.runs, "detail": why or "it never ended", "letter": letter.body()},
        )


def _check(event: Any) -> None:
    """Raise an error for an event that isn't a batch of messages of an SQS FIFO queue."""
    records = event.get("Records") if isinstance(event, dict) else None
    if isinstance(records, list) and all(_is_message(record) for record in records):
        return
    error = UnsupportedEventError("the worker", "batches of messages of an SQS FIFO queue", described(event))
    logger().error("event not supported", extra={"event": error.event})
    raise error


def _refuse(message: Message, why: str) -> None:
    """Drop a void message; of a dead letter that an operator has sent back, write a log line."""
    if isinstance(message, BuriedMessage):
        logger().error("dead letter not run", extra={"request": message.id, "detail": why})


def _group(record: dict[str, Any]) -> str:
    return str(record["attributes"]["MessageGroupId"])


def _is_message(record: Any) -> bool:
    if not isinstance(record, dict) or record.get("eventSource", "aws:sqs") != "aws:sqs":
        return False
    attributes = record.get("attributes")
    texts = [record.get(name) for name in ("messageId", "receiptHandle", "body")]
    group = attributes.get("MessageGroupId") if isinstance(attributes, dict) else None
    return all(isinstance(text, str) for text in (*texts, group))


def _record(response: StoredResponse) -> bytes:
    headers = tuple(
        (name, value) for name, value in response.headers if name not in _OF_THE_ATTEMPT and not is_personal(name)
    )
    record = response._replace(headers=headers).encode()
    return record if len(record) <= LARGEST_ANSWER_BYTES else StoredResponse(response.status, (), None).encode()

"""The worker: runs queued requests through their own application, in the order of their principal.

It is a well-behaved client that sits inside: it asks the limits as everybody does, waits as long as they say, and
comes again after a 409, 429 or 503. What has to wait longer than a moment goes back to the queue until its time,
with all that its principal has queued behind it. A run is claimed like any idempotent request's: whatever dies in
the middle, and however often SQS hands a message over, one run counts.

Batches are Powertools' `SqsFifoPartialProcessor`: what fails is reported, and fails no other principal's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from starlette.types import ASGIApp
from starlette.types import Message as Event

from tidegate.asgi import Captured
from tidegate.errors import ConfigurationError
from tidegate.http import LIMIT_FIELD, POLICY_FIELD
from tidegate.lifecycle import Environment
from tidegate.mechanisms.idempotency import REPLAYED
from tidegate.mechanisms.overflow import run_key
from tidegate.mechanisms.queued_request import QueuedRequest
from tidegate.mechanisms.queued_run import KEY, QueuedRun
from tidegate.mechanisms.request_queue import RequestQueue
from tidegate.mechanisms.request_state import ENDED, MOST_RUNS, QueuedItem
from tidegate.mechanisms.verdict import comes_again_us
from tidegate.record import StoredResponse
from tidegate.stores.sqs import Message
from tidegate.telemetry import logger

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

# A moment is waited for here: the queue counts in whole seconds, and a limit often asks for milliseconds.
PATIENCE_US = 2_000_000
# No run is begun in the last third of an invocation's time.
_KEPT_FREE = 1 / 3
# What the guard says of an attempt, and not the handler of the request.
_OF_THE_ATTEMPT = frozenset({POLICY_FIELD, LIMIT_FIELD, REPLAYED[0]})


class PutOffError(Exception):
    """A message goes back to the queue: its time hasn't come."""


class Worker:
    """The Lambda handler of the worker function.

    Args:
        app: the protected application.
        environment: holds its parts.
    """

    def __init__(self, app: ASGIApp, environment: Callable[[], Environment]) -> None:
        self._app = app
        self._environment = environment
        self._loop = asyncio.new_event_loop()

    def __call__(self, event: dict[str, Any], context: Any) -> Any:
        """Run a batch of messages, one after the other; return those that are to come again.

        Raises:
            ConfigurationError: there is no queue.
        """
        from aws_lambda_powertools.utilities.batch import (  # noqa: PLC0415  a worker's alone
            SqsFifoPartialProcessor,
            process_partial_response,
        )

        queue = self._environment().queue()
        if queue is None:
            raise ConfigurationError("TIDEGATE_QUEUE_URL", "a worker needs the queue that it works for; set it")
        if not event["Records"]:  # how a release asks whether a version starts at all
            return {"batchItemFailures": []}
        batch = _Batch(Runner(self._app, queue, context), self._loop)
        processor = SqsFifoPartialProcessor(skip_group_on_error=True)
        processor.raise_on_entire_batch_failure = False  # to have to wait is no failure of the function
        answer = process_partial_response(event, batch.take, processor, context)
        failed = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
        queue.put_off(batch.absences(record for record in event["Records"] if record["messageId"] in failed))
        return answer

    def close(self) -> None:
        """Close the event loop."""
        self._loop.close()


class _Batch:
    """One invocation's messages, and how long each principal's must stay away."""

    def __init__(self, runner: Runner, loop: asyncio.AbstractEventLoop) -> None:
        self._runner = runner
        self._loop = loop
        self._absences_s: dict[str, int] = {}

    def take(self, record: SQSRecord) -> None:
        """Take one message as far as it goes.

        Raises:
            PutOffError: it has to come again; all of its principal that come after it are skipped then.
        """
        group = str(record.attributes.message_group_id)
        if self._runner.late:
            self._absences_s[group] = 0
            raise PutOffError
        wait_us = self._loop.run_until_complete(self._runner.take(Message.read(record.body)))
        if wait_us is not None:
            self._absences_s[group] = max(self._runner.queue.shortest_absence_s, -(-wait_us // 1_000_000))
            raise PutOffError

    def absences(self, records: Iterable[dict[str, Any]]) -> dict[str, int]:
        """Return for how many seconds each message stays away; all of one principal as long as its first one, for
        none is received while another one is away.
        """
        shortest_s = self._runner.queue.shortest_absence_s
        return {
            record["receiptHandle"]: self._absences_s.get(record["attributes"]["MessageGroupId"], shortest_s)
            for record in records
        }


class Runner:
    """Takes queued requests to their answers, within one invocation.

    Args:
        app: the protected application.
        queue: where they are kept.
        context: the invocation's.
    """

    def __init__(self, app: ASGIApp, queue: RequestQueue, context: Any) -> None:
        self._app = app
        self.queue = queue
        self._context = context
        self._last_ms = context.get_remaining_time_in_millis() * _KEPT_FREE

    @property
    def late(self) -> bool:
        """Whether the invocation's time is too short to begin anything."""
        return bool(self._context.get_remaining_time_in_millis() < self._last_ms)

    async def take(self, message: Message) -> int | None:
        """Take a message's request as far as it goes.

        Returns:
            After how many microseconds it is to come again; None if it is done with.

        Raises:
            StoreUnavailableError: it is to come again some time.
        """
        waited_us = 0
        while (wait_us := await self._attempt(message)) is not None:
            waited_us += wait_us
            if waited_us > PATIENCE_US or self.late:
                return wait_us
            await asyncio.sleep(wait_us / 1_000_000)
        return None

    async def _attempt(self, message: Message) -> int | None:
        item = self.queue.find(message.id)
        if item is None or item.nonce != message.nonce:  # withdrawn, or accepted anew: that has a message of its own
            return None
        if item.state in ENDED:
            self.queue.drop(item)
            return None
        if item.has_expired(self.queue.now_ms()):
            return None if self.queue.close(item, "expired") else 0
        return await self._run(item)

    async def _run(self, item: QueuedItem) -> int | None:
        request = QueuedRequest.decode(item.request)

        async def begin() -> bool:
            return self.queue.begin(item)

        run = QueuedRun(request.caller, run_key(request, item), begin)
        response = await self._response(request, run)
        if run.refused:
            return self._begun_too_often(item)
        again_us = comes_again_us(response, run, item.runs + 1)
        if again_us is None:
            self.queue.end(item, _record(response))
        return again_us

    async def _response(self, request: QueuedRequest, run: QueuedRun) -> StoredResponse:
        answers: list[StoredResponse] = []

        async def deliver(response: StoredResponse) -> None:
            answers.append(response)

        messages: list[Event] = [{"type": "http.request", "body": request.body, "more_body": False}]

        async def receive() -> Event:
            return messages.pop() if messages else {"type": "http.disconnect"}

        scope = request.scope(state={}, **{KEY: run, "aws.context": self._context})
        await self._app(scope, receive, Captured(deliver))
        return answers[0] if answers else StoredResponse(503, ((b"retry-after", b"1"),), b"")

    def _begun_too_often(self, item: QueuedItem) -> int | None:
        if item.runs < MOST_RUNS:  # cancelled, or expired, in this moment
            return 0
        logger().error("queued request given up", extra={"request": item.id, "runs": item.runs})
        self.queue.bury(item)
        return None


def _record(response: StoredResponse) -> bytes:
    headers = tuple((name, value) for name, value in response.headers if name not in _OF_THE_ATTEMPT)
    return response._replace(headers=headers).encode()

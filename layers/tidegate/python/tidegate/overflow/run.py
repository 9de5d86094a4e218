"""A queued request's run as the guard sees it: whose it is, under which claim, and whether it may still begin.

It travels in the ASGI scope, beside the request. No client can write there: what comes over HTTP is in the scope's
headers, path and body, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.types import ASGIApp, Receive, Scope, Send

from tidegate.idempotency.protocol import REPLAYED
from tidegate.identity.caller import Caller
from tidegate.overflow.state import MOST_RUNS
from tidegate.web.asgi import respond
from tidegate.web.problems import Problem, problem_type
from tidegate.web.stored_response import StoredResponse

KEY = "tidegate.queued"


class QueuedRun:
    """One attempt to run a queued request through its application.

    Args:
        caller: who asked when it was accepted, and whose limits count.
        key: the idempotency key that it is claimed under.
        begin: marks the request as running; False if it was cancelled, has expired, or ran too often.
        fingerprint: its payload's and its credentials', as it was accepted: the latter aren't here any more.

    Attributes:
        passes_in_us: set by the guard, if the limits refuse: when the same request could pass; None if it never will.
        begun: whether the application was reached.
        refused: whether it wasn't, because `begin` said no.
    """

    def __init__(
        self, caller: Caller, key: str, begin: Callable[[], Awaitable[bool]], fingerprint: str | None = None
    ) -> None:
        self.caller = caller
        self.key = key
        self.fingerprint = fingerprint
        self._begin = begin
        self.passes_in_us: int | None = None
        self.begun = False
        self.refused = False

    def beginning(self, app: ASGIApp) -> ASGIApp:
        """Return the application with the begin before it: between the claim and the handler."""

        async def begin_first(scope: Scope, receive: Receive, send: Send) -> None:
            if not await self._begin():
                self.refused = True
                await respond(send, Problem(409, problem_type("request-not-queued"), "Not queued any more"))
                return
            self.begun = True
            await app(scope, receive, send)

        return begin_first


def queued_run(scope: Scope) -> QueuedRun | None:
    """Return the run that a request is, or None if it came over HTTP."""
    found = scope.get(KEY)
    return found if isinstance(found, QueuedRun) else None


# In progress elsewhere, beyond a limit, out of capacity: each says when to come again, if it is worthwhile.
_COME_AGAIN = frozenset({409, 429, 503})
_IN_PROGRESS = 409
_LONGEST_IN_PROGRESS_US = 60_000_000
_RETRY_AFTER = b"retry-after"
_DIGITS = 15  # more are no time that anybody waits, and too many are no number to Python
_FOR_EVER_US = 10**18


def comes_again_us(response: StoredResponse, run: QueuedRun, runs: int, left_us: int | None = None) -> int | None:
    """Return after how many microseconds to come again, or None if the answer is final.

    A wait beyond the request's time is a final answer: it would hold up all that its caller has queued, in vain.

    Args:
        response: what the application, or the guard before it, has answered.
        run: the attempt.
        runs: how often it was begun, this attempt included.
        left_us: how long the request may still wait; None: for ever.
    """
    if run.passes_in_us is not None and not run.begun:
        return _within(run.passes_in_us, left_us)
    headers = dict(response.headers)
    said = headers.get(_RETRY_AFTER, b"")
    if response.status not in _COME_AGAIN or not said.isdigit() or REPLAYED[0] in headers:
        return None
    wait_us = int(said[-_DIGITS:]) * 1_000_000 if not said[:-_DIGITS].strip(b"0") else _FOR_EVER_US
    if response.status == _IN_PROGRESS and not run.begun:
        return min(wait_us, _LONGEST_IN_PROGRESS_US)  # its answer is another attempt's, which it is to be given
    return None if run.begun and runs >= MOST_RUNS else _within(wait_us, left_us)


def _within(wait_us: int, left_us: int | None) -> int | None:
    return wait_us if left_us is None or wait_us <= left_us else None

"""What a queued request's answer says of the request: it is the answer, or it says to come again."""

from __future__ import annotations

from tidegate.mechanisms.idempotency import REPLAYED
from tidegate.mechanisms.queued_run import QueuedRun
from tidegate.mechanisms.request_state import MOST_RUNS
from tidegate.record import StoredResponse

# In progress elsewhere, beyond a limit, out of capacity: each says when to come again, if it is worthwhile.
_COME_AGAIN = frozenset({409, 429, 503})
_RETRY_AFTER = b"retry-after"


def comes_again_us(response: StoredResponse, run: QueuedRun, runs: int) -> int | None:
    """Return after how many microseconds to come again, or None if the answer is final.

    Args:
        response: what the application, or the guard before it, has answered.
        run: the attempt.
        runs: how often it was begun, this attempt included.
    """
    if run.passes_in_us is not None and not run.begun:
        return run.passes_in_us
    headers = dict(response.headers)
    said = headers.get(_RETRY_AFTER, b"")
    if response.status not in _COME_AGAIN or not said.isdigit() or REPLAYED[0] in headers:
        return None
    return None if run.begun and runs >= MOST_RUNS else int(said) * 1_000_000

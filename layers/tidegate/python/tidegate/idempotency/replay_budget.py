"""What replays may cost this environment, for each principal: a token bucket of bytes, without any I/O.

A replay is charged to no limit, and refused by none: who was answered once can read that answer again. It isn't
without cost, though: an answer may have 350 kB, and the application's dependencies run before it is told. So each
principal has a budget here, far above what retries need. Beyond it a replay has to wait, as any request beyond a limit.

The bucket is GCRA on its time of fullness (see `limits.token_bucket`), paid after the fact: what an answer weighs
is known when it is there.
"""

from __future__ import annotations

from collections import OrderedDict

from tidegate.clock import Clock
from tidegate.web.problems import QUOTA_EXCEEDED, Problem, retry_after_s

LABEL = "replays"
# The least that a replay costs: asking, and the dependencies that run for it, whatever the answer weighs.
LEAST_BYTES = 32 * 1024
BURST_S = 4.0
_REMEMBERED = 10_000


class ReplayBudget:
    """The budgets of those who have used theirs lately.

    Args:
        clock: where the time comes from.
        bytes_per_s: what each has; four seconds of it at once. 0: without bound.
    """

    def __init__(self, clock: Clock, bytes_per_s: int) -> None:
        self._clock = clock
        self._bytes_per_s = bytes_per_s
        self._full_at_s: OrderedDict[str, float] = OrderedDict()

    def refusal(self, subject: str) -> Problem | None:
        """Return the 429 for whoever has nothing left, or None.

        Args:
            subject: who asks, as in the question.
        """
        full_at_s = self._full_at_s.get(subject)
        if full_at_s is None or (wait_s := full_at_s - self._clock.monotonic() - BURST_S) < 0:
            return None
        return _exhausted(retry_after_s(int(wait_s * 1_000_000)))

    def take(self, subject: str, size_bytes: int) -> Problem | None:
        """Take from the budget what a replay costs; return the 429 if nothing is left, and None otherwise.

        Args:
            subject: who asks, as in the question.
            size_bytes: what is to be told.
        """
        if not self._bytes_per_s:
            return None
        refusal = self.refusal(subject)
        if refusal is None:
            now_s = self._clock.monotonic()
            full_at_s = max(now_s, self._full_at_s.pop(subject, now_s))
            self._full_at_s[subject] = full_at_s + max(LEAST_BYTES, size_bytes) / self._bytes_per_s
            if len(self._full_at_s) > _REMEMBERED:
                self._full_at_s.popitem(last=False)
        return refusal


def _exhausted(seconds: int) -> Problem:
    return Problem(
        429,
        QUOTA_EXCEEDED,
        "Quota exceeded",
        f"Too much was answered again to this caller; try again in {seconds} s.",
        ((b"retry-after", str(seconds).encode()),),
        {"violated-policies": [LABEL]},
    )

"""How long the oldest queued request has waited, from the lines alone. No I/O.

SQS says it only as a CloudWatch metric, which no local engine keeps. But a principal's requests are run in the order
in which they were queued (the queue is FIFO, one group for each principal): whoever is run, was the first of his.
"""

from collections import defaultdict, deque
from collections.abc import Iterable

from tidegate_local.telemetry.lines import WORKER, RequestLine


class Backlog:
    """The queued requests of each principal that no worker has run yet."""

    def __init__(self) -> None:
        self._waiting: dict[str, deque[float]] = defaultdict(deque)

    def add(self, lines: Iterable[RequestLine]) -> None:
        """Take lines in, in the order of their times."""
        for line in lines:
            if line.service != WORKER and line.outcome == "queued":
                self._waiting[line.principal].append(line.at_s)
            elif line.service == WORKER and line.outcome != "limited" and self._waiting[line.principal]:
                self._waiting[line.principal].popleft()

    def oldest_s(self, now_s: float, depth: int) -> float | None:
        """Return for how long the oldest one has waited; None if nothing waits.

        `depth` is what the queue says of itself: with nothing in it, those that were cancelled are forgotten, too.
        """
        if depth == 0:
            self._waiting.clear()
        heads = [waiting[0] for waiting in self._waiting.values() if waiting]
        return max(0.0, now_s - min(heads)) if heads else None

"""Counting in one environment: what is counted, and the ways on which it leaves.

It rides along with decisions to Redis (`stores/redis.py`). What has waited for seconds although requests came, because
Redis takes nothing or no request asks anything, is written to DynamoDB in the background; the rest when the
environment closes.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from tidegate.clock import Clock
from tidegate.errors import StoreUnavailableError
from tidegate.outcomes.in_redis import count_call
from tidegate.outcomes.overdue import Overdue
from tidegate.outcomes.tally import Tally

if TYPE_CHECKING:
    from tidegate.identity import Scope
    from tidegate.outcomes.in_flight import InFlight
    from tidegate.stores.background import Background
    from tidegate.stores.deferred import Deferred
    from tidegate.stores.redis import RedisStore
    from tidegate.stores.table_parts import TableParts

# So long what isn't taken along waits, and is then as much as is worth a write.
WAITS_S = 5.0


class OutcomeCounter:
    """Counts requests, and hands the counts over.

    Args:
        tally: what counts.
        clock: where the time comes from.
        redis: the preferred store; None: there is none.
        table, parts: DynamoDB's table and what it is used for; None: there is none.
        marks: the folder where a process that dies leaves its mark; None: outside of Lambda.
    """

    def __init__(
        self,
        tally: Tally,
        clock: Clock,
        redis: RedisStore | None,
        table: str | None,
        parts: Deferred[TableParts] | None,
        marks: str | None = None,
    ) -> None:
        self.tally = tally
        self._redis = redis
        self._table = table
        self._parts = parts
        self._marks = marks
        self._in_flight: InFlight | None = None
        self._overdue = Overdue(clock, self._timed_out)
        self._background: Background | None = None

    def began(self, scope: Scope) -> None:
        """Note that a request runs, and, on Lambda, for how long it may."""
        remaining = getattr(scope.get("aws.context"), "get_remaining_time_in_millis", None)
        if remaining is None:
            return
        if self._marks is not None:
            self._mark(self._marks)
        if self._in_flight is not None:
            self._in_flight.began()
        self._overdue.began(remaining() / 1000)

    def ended(self, scope: Scope, status: int | None, seconds: float, *, own: bool = True) -> None:
        """Count a request that has ended, unless it was told as timed out.

        Args:
            scope: the request.
            status: its answer's; None: its client has left.
            seconds: what it took.
            own: whether this version made the answer. A replayed one says nothing of who replays it: the failures of
                a bad version would be laid to the good one's door, where its clients' retries go.
        """
        if self._in_flight is not None:
            self._in_flight.ended()
        if ("aws.context" not in scope or not self._overdue.ended()) and own:
            self.tally.ended(status, seconds)

    def write_if_due(self) -> None:
        """Write what nobody takes along, on a thread of its own."""
        if self._parts is None or self.tally.waits_s < WAITS_S:
            return
        if self._background is None:
            from tidegate.stores.background import Background  # noqa: PLC0415  not while Redis takes the counts

            self._background = Background()
        self._background.submit("outcomes", self._to_dynamodb)

    def flush(self) -> None:
        """Hand over all that there is: to Redis if it answers, else to DynamoDB; what neither takes stays."""
        with suppress(StoreUnavailableError):
            self._to_redis()
        with suppress(StoreUnavailableError):
            self._to_dynamodb()

    def close(self) -> None:
        """Hand over all that there is, and end what runs in the background."""
        self._overdue.close()
        if self._in_flight is not None:
            self._in_flight.close()
            self._in_flight = None
        if self._background is not None:
            self._background.close()
        self.flush()

    def _mark(self, folder: str) -> None:
        """Leave a mark of this process, and count what former ones died of; not before a snapshot, so at a request."""
        from pathlib import Path  # noqa: PLC0415  only on Lambda, once

        from tidegate.outcomes.in_flight import InFlight  # noqa: PLC0415  as above

        self._marks = None
        with suppress(OSError):  # a sandbox without a place to write counts the rest as well
            self._in_flight = InFlight(Path(folder), self.tally.source)
            for died in self._in_flight.died():
                self.tally.crashed(cold=died == "cold")

    def _timed_out(self) -> None:
        self.tally.timed_out()
        if self._in_flight is not None:
            self._in_flight.ended()  # Lambda is going to kill the process: that is this request, and counted
        self.flush()

    def _to_redis(self) -> None:
        if self._redis is None:
            return
        while (batch := self.tally.first("redis")) is not None:
            try:
                self._redis.evaluate([count_call(self.tally.source, self.tally.environment, batch)])
            except StoreUnavailableError as error:
                if error.kind == "refused":
                    self.tally.unheard(batch)
                raise
            self.tally.heard(batch)

    def _to_dynamodb(self) -> None:
        if self._parts is None or self._table is None:
            return
        from tidegate.outcomes.in_dynamodb import count  # noqa: PLC0415  only while Redis takes nothing

        while (batch := self.tally.first("dynamodb")) is not None:
            count(self._parts().client, self._table, self.tally.source, self.tally.environment, batch)
            self.tally.heard(batch)

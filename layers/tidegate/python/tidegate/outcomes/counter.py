"""One environment's outcome counts, and their two ways out: along with decisions to Redis, or in DynamoDB.

Counts ride along with decisions (`stores/redis/store.py`). They wait if Redis takes none, or if no request has a
question. After some seconds, and while requests come, they are written to DynamoDB in the background. The last counts
are written when the environment closes.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from tidegate.clock import Clock
from tidegate.errors import StoreUnavailableError
from tidegate.outcomes.in_redis import count_call
from tidegate.outcomes.overdue import Overdue
from tidegate.outcomes.replayable import is_replayed, target_of
from tidegate.outcomes.tally import Tally

if TYPE_CHECKING:
    from tidegate.background import Background
    from tidegate.compose_dynamodb import DynamoComponents
    from tidegate.identity.caller import Scope
    from tidegate.lazy import Lazy
    from tidegate.outcomes.in_flight import InFlight
    from tidegate.routing import RoutePolicy
    from tidegate.stores.redis.store import RedisStore

# Seconds that counts wait for a decision; in a large fleet, whose batches are rarer, so many times a batch's interval.
WAITS_S = 5.0
_TOO_MANY, _WELL = 429, 200


class OutcomeCounter:
    """Counts requests, and hands the counts over to a store.

    Args:
        tally: keeps the counts.
        clock: where the time comes from.
        redis: the preferred store; None: there is none.
        table, parts: DynamoDB's table, and the parts that use it; None: there is none.
        marks: the folder of the processes' marks (see `in_flight`); None: not on Lambda.
    """

    def __init__(
        self,
        tally: Tally,
        clock: Clock,
        redis: RedisStore | None,
        table: str | None,
        parts: Lazy[DynamoComponents] | None,
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
        # The running request's. On Lambda there is only one at a time, and only there are timeouts counted.
        self.route: RoutePolicy | None = None

    def began(self, scope: Scope) -> None:
        """Note that a request begins; on Lambda also when its function times out."""
        context = scope.get("aws.context")
        remaining = getattr(context, "get_remaining_time_in_millis", None)
        if remaining is None or _is_one_of_many(context):
            return
        if self._marks is not None:
            self._mark(self._marks)
        if self._in_flight is not None:
            self._in_flight.began()
        self._overdue.began(remaining() / 1000)

    def ended(
        self,
        scope: Scope,
        status: int | None,
        seconds: float,
        outcome: str = "admitted",
        route: RoutePolicy | None = None,
    ) -> None:
        """Count a request that has ended, unless it was counted as timed out.

        A replay isn't counted, since it tells nothing of the version that replays it: retries of a bad version's
        clients would make the good version look bad. A request that is shed or limited counts as refused.

        Args:
            scope: the request.
            status: its response's; None: its client has left.
            seconds: its duration.
            outcome: the guard's word for its end.
            route: its route; None: it isn't known.
        """
        if self._in_flight is not None:
            self._in_flight.ended()
        on_lambda = "aws.context" in scope
        alone = on_lambda and not _is_one_of_many(scope["aws.context"])
        if (alone and self._overdue.ended()) or outcome == "replayed":
            return
        again = on_lambda and is_replayed(scope)
        refused = outcome == "shed" or status == _TOO_MANY
        self.tally.ended(status, seconds, None if route is None else route.name, refused=refused, again=again)
        if route is not None and route.policy.replayable and not again and status == _WELL and self.tally.wants_target:
            self._record(scope)

    def _record(self, scope: Scope) -> None:
        if scope["method"] == "GET" and (target := target_of(scope)) is not None:
            self.tally.may_be_replayed(target)

    def write_if_due(self) -> None:
        """Write counts that have waited for too long to DynamoDB, on a thread of their own."""
        if self._parts is None or self.tally.waits_s < WAITS_S * max(1.0, self.tally.every_s):
            return
        if self._background is None:
            from tidegate.background import Background  # noqa: PLC0415  not while Redis takes the counts

            self._background = Background()
        self._background.submit("outcomes", self._to_dynamodb)

    def flush(self) -> None:
        """Hand all counts over, to Redis if it answers, else to DynamoDB; keep those that neither takes."""
        with suppress(StoreUnavailableError):
            self._to_redis()
        with suppress(StoreUnavailableError):
            self._to_dynamodb()

    def close(self) -> None:
        """End the background threads, and hand all counts over."""
        self._overdue.close()
        if self._in_flight is not None:
            self._in_flight.close()
            self._in_flight = None
        if self._background is not None:
            self._background.close()
        self.flush()

    def _mark(self, folder: str) -> None:
        """Make this process's mark, and count the requests in which earlier processes died.

        That is done at the first request and not at start, since a snapshot would copy the mark.
        """
        from pathlib import Path  # noqa: PLC0415  only on Lambda, once

        from tidegate.outcomes.in_flight import InFlight  # noqa: PLC0415  as above

        self._marks = None
        with suppress(OSError):  # a sandbox without a writable folder counts everything else
            self._in_flight = InFlight(Path(folder), self.tally.source)
            for died in self._in_flight.died():
                self.tally.crashed(cold=died == "cold")

    def _timed_out(self) -> None:
        self.tally.timed_out(None if self.route is None else self.route.name)
        if self._in_flight is not None:
            self._in_flight.ended()  # Lambda will kill the process, but this request is counted already
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


def _is_one_of_many(context: object) -> bool:
    """Return whether other invocations may run at the same time; then Lambda kills none of them at its timeout."""
    return getattr(context, "concurrent", False)

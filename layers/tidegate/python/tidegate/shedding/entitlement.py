"""Which of a caller's shed requests count as demand: those that its limits would have admitted.

A shed request asks no store, so it isn't charged to its limits. A flood that the limits would refuse anyway would
otherwise count as demand, and others would be shed for it. So this environment keeps its share of each limit in memory,
as a bucket.
"""

from __future__ import annotations

from tidegate.decision import Rule
from tidegate.identity.caller import Caller
from tidegate.limits.concurrency import Slots
from tidegate.limits.leaky_bucket import Drain
from tidegate.limits.limit import Limit
from tidegate.limits.quota import Period
from tidegate.limits.sliding_window import Window
from tidegate.limits.tiers import limit_for
from tidegate.limits.token_bucket import Bucket, take
from tidegate.routing import RoutePolicy
from tidegate.web.problems import Problem

# Requests aren't spread evenly over a fleet: so many more than its share an environment may get at first.
_UNEVEN = 3
# The bound of the buckets; beyond it all are dropped, so that callers may count their burst once more.
_MOST = 10_000
_Key = tuple[RoutePolicy, int, str]


class Entitlements:
    """Counts refused requests against their callers' limits; used on the event loop's thread."""

    def __init__(self) -> None:
        self._tats: dict[_Key, int] = {}

    def let_in(self, route: RoutePolicy, caller: Caller, environments: int, now_us: int, run_s: float) -> bool:
        """Whether the limits would have admitted a refused request, which is charged to their shares here.

        Args:
            route: its route.
            caller: its caller.
            environments: how many share the limits.
            now_us: epoch microseconds.
            run_s: the mean run time here, in seconds, for limits on concurrency; 0: unknown.
        """
        let_in = True
        for place, limit in enumerate(route.policy.limits):
            whose = _whose(limit, caller)
            if limit.shadow or whose is None:
                continue
            if limit.by_caller:
                his = limit_for(limit, caller)
                if isinstance(his, Problem):
                    continue
                limit = his  # noqa: PLW2901  the same limit, at the caller's rate
            bucket = _share(limit.rule(now_us, caller.time_zone), environments, run_s)
            if bucket is None:
                continue
            key = (route, place, whose)
            cost = limit.cost if isinstance(limit.cost, int) else 1
            taken = take(self._tats.get(key), now_us, bucket, min(cost, bucket.burst))
            if len(self._tats) >= _MOST and key not in self._tats:
                self._tats.clear()
            self._tats[key] = taken.tat_us
            let_in = let_in and taken.allowed
        return let_in


def _whose(limit: Limit, caller: Caller) -> str | None:
    """Return the name under which a limit counts a caller; None if it doesn't apply to it."""
    match limit.per:
        case "organisation":
            return caller.organisation
        case "ip":
            return caller.principal if caller.unknown else None
        case "route":
            return ""
        case _:
            return caller.principal


def _share(rule: Rule, environments: int, run_s: float) -> Bucket | None:
    """Return one environment's share of a limit as a bucket; None if it can't be computed."""
    match rule:
        case Bucket(interval_us, burst):
            pass
        case Window(window_ms, burst):
            interval_us = -(-window_ms * 1000 // burst)
        case Drain(interval_us, max_wait_us):
            burst = max_wait_us // interval_us + 1
        case Period(start_us, end_us, burst):
            interval_us = -(-(end_us - start_us) // burst)
        case Slots(burst) if run_s > 0:
            interval_us = max(1, int(run_s * 1_000_000) // burst)
        case _:
            return None
    return Bucket(interval_us * environments, burst // environments + _UNEVEN)

"""One host's throttles, one for each route, because a failing route says nothing of others behind the same gateway.

Each route is judged by its own last two minutes. While it has too few requests, the host's count, so that a host that
is down doesn't get eight requests for every path. A failure counts against the host only while its route isn't
throttled: of a route that always fails, the first few.
"""

from __future__ import annotations

from collections import OrderedDict
from random import Random

from tidegate.client.throttle import Throttle

_MOST_ROUTES = 256


class Throttles:
    """One host's throttles, for requests of one criticality; not thread-safe.

    Args:
        k: requests that are sent per accepted request.
    """

    def __init__(self, k: float) -> None:
        self._k = k
        self._host = Throttle(k)
        self._routes: OrderedDict[str, Throttle] = OrderedDict()

    def admits(self, scope: str, now_s: float, random: Random) -> bool:
        """Decide on a request.

        Args:
            scope: its method and route.
            now_s: seconds of a monotonic clock.
            random: draws the refusals.
        """
        route = self._route(scope)
        judge = self._host if route.knows_little(now_s) else route
        return judge.admits(now_s, random)

    def record(self, scope: str, now_s: float, *, accepted: bool) -> None:
        """Count a request that was sent.

        Args:
            scope: its method and route.
            now_s: seconds of a monotonic clock.
            accepted: whether the server accepted it, with any response.
        """
        route = self._route(scope)
        if accepted or not route.probability(now_s):
            self._host.record(now_s, accepted=accepted)
        route.record(now_s, accepted=accepted)

    def _route(self, scope: str) -> Throttle:
        known = self._routes.setdefault(scope, Throttle(self._k))
        self._routes.move_to_end(scope)
        if len(self._routes) > _MOST_ROUTES:
            self._routes.popitem(last=False)
        return known

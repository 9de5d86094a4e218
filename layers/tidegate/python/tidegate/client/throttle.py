"""What a client refuses by itself, because its server would refuse it: adaptive throttling.

Google SRE, "Handling Overload", Client-Side Throttling: of the last two minutes' requests, those beyond K times what
the server accepted are refused with the probability max(0, (requests - K x accepts) / (requests + 1)). Refusing costs
a server nearly as much as serving; a client that still sends half of what is refused finds out soon enough when that
ends. Three things here are not the book's:

- Eight requests are beyond suspicion. By the book a new client's very first failure refuses every second request
  (gRPC's throttler pads by eight, too).
- At most nine in ten are refused (Envoy's admission control has such a cap).
- Three sent requests that are accepted in a row end it, until one isn't. By the book alone accepts grow by e in two
  minutes: after an outage of some minutes a client would refuse most of its requests to a healthy server for minutes
  more. A server that accepts half of what it gets, where K = 2 settles, gets a few hundredths more for it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from random import Random

WINDOW_S = 120.0
UNSUSPECTED = 8
MOST_REFUSED = 0.9
WELL_AFTER = 3
_BINS = 24
_BIN_S = WINDOW_S / _BINS


@dataclass(slots=True)
class _Bin:
    number: int
    requests: int = 0
    accepts: int = 0


class Throttle:
    """What was asked and accepted in the last two minutes; not safe for threads by itself.

    Args:
        k: requests that are sent per request that is accepted. 2 sends as much again as is accepted; less
            refuses more here and learns later that the server is well.
    """

    def __init__(self, k: float) -> None:
        self._k = k
        self._bins: deque[_Bin] = deque()
        self._in_a_row = 0

    def record(self, now_s: float, *, accepted: bool) -> None:
        """Count a request that was sent, and answered or failed.

        Args:
            now_s: seconds that only grow.
            accepted: whether the server took it on, whatever it answered then.
        """
        self._in_a_row = self._in_a_row + 1 if accepted else 0
        self._count(now_s, accepted=accepted)

    def probability(self, now_s: float) -> float:
        """Return the share of requests to refuse now, from 0 to 0.9."""
        self._forget(now_s)
        if self._in_a_row >= WELL_AFTER:
            return 0.0
        requests = sum(each.requests for each in self._bins)
        accepts = sum(each.accepts for each in self._bins)
        return min(MOST_REFUSED, max(0.0, (requests - UNSUSPECTED - self._k * accepts) / (requests + 1)))

    def admits(self, now_s: float, random: Random) -> bool:
        """Decide on a request; one that is refused is counted as if the server had refused it."""
        if random.random() >= self.probability(now_s):
            return True
        self._count(now_s, accepted=False)
        return False

    def _count(self, now_s: float, *, accepted: bool) -> None:
        current = self._bin(now_s)
        current.requests += 1
        current.accepts += accepted

    def _bin(self, now_s: float) -> _Bin:
        number = int(now_s // _BIN_S)
        if not self._bins or self._bins[-1].number != number:
            self._bins.append(_Bin(number))
        self._forget(now_s)
        return self._bins[-1]

    def _forget(self, now_s: float) -> None:
        oldest = int(now_s // _BIN_S) - _BINS
        while self._bins and self._bins[0].number <= oldest:
            self._bins.popleft()

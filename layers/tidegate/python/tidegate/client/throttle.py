"""Adaptive throttling: a client refuses requests itself that its server would probably refuse.

Source: Google SRE, "Handling Overload", Client-Side Throttling. Over the last two minutes, a request is refused with
the probability max(0, (requests - K x accepts) / (requests + 1)). Refusing costs a server nearly as much as serving,
and a client that still sends some requests soon notices when the server accepts them again. Three things differ from
the book:

- Eight requests don't count. By the book a new client's very first failure refuses every second request (gRPC's
  throttler pads by eight, too).
- At most nine in ten are refused (Envoy's admission control has such a cap).
- After three accepted requests in a row none is refused, until one fails. By the book alone accepts grow by a factor
  of e in two minutes, so a client would refuse most requests to a healthy server for minutes after an outage. A server
  that accepts half of its requests, where K = 2 settles, gets a few hundredths more.
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
    """The requests and accepts of the last two minutes; not thread-safe.

    Args:
        k: requests that are sent per accepted request. With 2, as many are refused by the server as accepted; with
            less, fewer reach it, and its recovery is noticed later.
    """

    def __init__(self, k: float) -> None:
        self._k = k
        self._bins: deque[_Bin] = deque()
        self._in_a_row = 0

    def record(self, now_s: float, *, accepted: bool) -> None:
        """Count a request that was sent.

        Args:
            now_s: seconds of a monotonic clock.
            accepted: whether the server accepted it, with any response.
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
        """Decide on a request; a refused one counts as if the server had refused it."""
        if random.random() >= self.probability(now_s):
            return True
        self.refuse(now_s)
        return False

    def refuse(self, now_s: float) -> None:
        """Count a request that the client refused."""
        self._count(now_s, accepted=False)

    def knows_little(self, now_s: float) -> bool:
        """Whether there are too few requests to decide by, and the last one wasn't accepted."""
        self._forget(now_s)
        return not self._in_a_row and sum(each.requests for each in self._bins) < UNSUSPECTED

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

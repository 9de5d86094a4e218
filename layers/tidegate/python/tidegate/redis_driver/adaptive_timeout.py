"""How long to wait for a server's replies: what was seen of it, with a margin, within what a decision may take.

Source: RFC 6298, "Computing TCP's Retransmission Timer". As there, the timeout is the smoothed round trip plus four
times its mean deviation, and doubles after one that passes in vain (section 5.5). A spurious timeout costs more here,
since it sends decisions to another store. So the timeout is never below twice the longest round trip of late, nor below
what a busy machine's scheduler takes, and until a server is known it is waited for as long as allowed. The timeout
doubles no further than twice, because requests wait for it while a server hangs. One wait in sixteen is the longest, or
a server that is slower for good would be given up for good.
"""

from __future__ import annotations

LEAST_S = 0.008
# Before, the timeout is the longest.
KNOWN_AFTER = 500
_ALPHA, _BETA, _K = 1 / 8, 1 / 4, 4
# The longest round trip counts less with each one that follows it: half as much after 700.
_PEAK_FADES = 1 / 1024
_MOST_DOUBLINGS = 2
_LONGEST_EVERY = 16


class AdaptiveTimeout:
    """The timeout of one server's replies; a lost update of a racing thread is one sample less.

    Args:
        longest_s: seconds, which the timeout never exceeds.
        adapts: whether it follows what is seen; otherwise it is always the longest.
    """

    __slots__ = ("_adapts", "_deviation_s", "_in_vain", "_longest_s", "_peak_s", "_seen", "_smoothed_s", "seconds")

    def __init__(self, longest_s: float, *, adapts: bool = True) -> None:
        self.seconds = longest_s
        self._longest_s = longest_s
        self._adapts = adapts
        self._smoothed_s = self._deviation_s = self._peak_s = 0.0
        self._seen = self._in_vain = 0

    def answered(self, took_s: float) -> None:
        """Note how long the replies to one round trip took; seconds."""
        if not self._adapts:
            return
        if self._seen:
            self._deviation_s += _BETA * (abs(took_s - self._smoothed_s) - self._deviation_s)
            self._smoothed_s += _ALPHA * (took_s - self._smoothed_s)
        else:
            self._smoothed_s, self._deviation_s = took_s, took_s / 2
        self._peak_s = max(took_s, self._peak_s - self._peak_s * _PEAK_FADES)
        self._seen += 1
        self._in_vain = 0
        if self._seen >= KNOWN_AFTER:
            self._set()

    def expired(self) -> None:
        """Note that the timeout passed in vain: the next one is longer."""
        self._in_vain += 1
        if self._adapts and self._seen >= KNOWN_AFTER:
            self._set()

    def _set(self) -> None:
        if self._in_vain % _LONGEST_EVERY == _LONGEST_EVERY - 1:
            self.seconds = self._longest_s
            return
        waited_s = max(LEAST_S, self._smoothed_s + _K * self._deviation_s, 2 * self._peak_s)
        self.seconds = min(self._longest_s, waited_s * 2 ** min(self._in_vain, _MOST_DOUBLINGS))

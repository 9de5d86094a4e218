"""The reference clock that environments have in common: DynamoDB's time, from the `Date` field of its answers.

DynamoDB has no operation that returns the time, but each answer bears the second in which it was made. That moment lies
between sending and receiving by this environment's clock. So each answer bounds the difference of the clocks from both
sides, and many answers together bound it to some milliseconds. Source: Cristian, "Probabilistic clock synchronization"
(1989); the `Date` field: RFC 9110 section 6.6.1.
"""

from __future__ import annotations

from math import inf
from threading import Lock
from typing import Any

from tidegate.clock import Clock

_GRAIN_US = 1_000_000


class ReferenceClock:
    """This environment's clock, corrected to DynamoDB's by its answers; uncorrected before the first.

    It never goes back, but when the first answer shows that it is wrong, or one of the clocks was set.

    Args:
        clock: this environment's own.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._least, self._most = -inf, inf
        self._latest_us = 0
        self._lock = Lock()

    @property
    def known(self) -> bool:
        """Whether there was an answer with a date."""
        return self._most != inf

    @property
    def offset_us(self) -> int:
        """By how many microseconds this environment's clock is behind."""
        return int(self._least + self._most) // 2 if self.known else 0

    def wall_us(self) -> int:
        """Microseconds since the Unix epoch, by DynamoDB's clock."""
        now_us = self._clock.wall_us() + self.offset_us
        self._latest_us = max(self._latest_us, now_us)
        return self._latest_us

    def monotonic(self) -> float:
        """Seconds that only grow."""
        return self._clock.monotonic()

    def sent_us(self) -> int:
        """Return the time at which a request is sent, for `heard`."""
        return self._clock.wall_us()

    def heard(self, answer: Any, sent_us: int) -> None:
        """Narrow the bounds by an answer of botocore's, if it has a date."""
        date = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date") if answer else None
        if date:
            self._bounded_by(date, sent_us, self._clock.wall_us())

    def _bounded_by(self, date: str, sent_us: int, received_us: int) -> None:
        from email.utils import parsedate_to_datetime  # noqa: PLC0415  botocore has imported it by now

        try:
            made_us = int(parsedate_to_datetime(date).timestamp()) * 1_000_000
        except ValueError:
            return
        least, most = made_us - received_us, made_us + _GRAIN_US - sent_us
        with self._lock:
            was_wrong = not self.known and not least <= 0 <= most
            if was_wrong or least > self._most or most < self._least:  # or one of the clocks was set
                self._least, self._most, self._latest_us = least, most, 0
            else:
                self._least, self._most = max(self._least, least), min(self._most, most)

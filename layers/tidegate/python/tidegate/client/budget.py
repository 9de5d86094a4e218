"""How many retries a client may send in all: a tenth of its requests, whatever happens.

Retries per request say nothing about the load in an outage: three each make it four times as high. A budget bounds
the sum: over any stretch, retries <= tokens + ratio x requests. Each request pays in, as in Finagle's RetryBudget
(without its minimum per second, which a thousand clients multiply by a thousand), and only so much can be saved up, as
in gRPC's retry throttling (A6): each of many clients that ask seldom has that much beyond its tenth.
"""

from __future__ import annotations

_MILLI = 1000  # as in gRPC: thousandths are exact, a hundred tenths of a float are not ten


class RetryBudget:
    """A bucket of tokens; not safe for threads by itself.

    Args:
        ratio: tokens that a request pays in; retries a request in the long run.
        tokens: what the bucket holds, and begins with.
    """

    def __init__(self, ratio: float, tokens: int) -> None:
        self._deposit = round(ratio * _MILLI)
        self._full = tokens * _MILLI
        self._balance = self._full

    @property
    def tokens(self) -> float:
        """What is left."""
        return self._balance / _MILLI

    def deposit(self) -> None:
        """Pay in for a request; retries pay nothing in."""
        self._balance = min(self._full, self._balance + self._deposit)

    def withdraw(self) -> bool:
        """Take a token for a retry; False: there is none, and the failure is the answer."""
        if self._balance < _MILLI:
            return False
        self._balance -= _MILLI
        return True

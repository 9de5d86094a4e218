"""The retry budget: the retries of a client are at most a tenth of its requests, and a few more.

A number of retries per request doesn't bound the load in an outage: with three it is four times as high. A budget
bounds the sum: in any interval, retries <= tokens + ratio x requests. Each request makes a deposit, as in Finagle's
RetryBudget, but without its minimum per second, which a thousand clients multiply by a thousand. The balance is
bounded, as in gRPC's retry throttling (A6), so a client that sends seldom has a few retries beyond its tenth.
"""

from __future__ import annotations

_MILLI = 1000  # thousandths, as in gRPC: they are exact, unlike sums of floats


class RetryBudget:
    """A bucket of tokens; not safe for threads by itself.

    Args:
        ratio: tokens that a request deposits, and so the retries per request in the long run.
        tokens: the largest balance, and the first one.
    """

    def __init__(self, ratio: float, tokens: int) -> None:
        self._deposit = round(ratio * _MILLI)
        self._full = tokens * _MILLI
        self._balance = self._full

    @property
    def tokens(self) -> float:
        """The tokens that are left."""
        return self._balance / _MILLI

    def deposit(self) -> None:
        """Make the deposit of a request; a retry makes none."""
        self._balance = min(self._full, self._balance + self._deposit)

    def withdraw(self) -> bool:
        """Take a token for a retry; False if there is none, so that the failure stands."""
        if self._balance < _MILLI:
            return False
        self._balance -= _MILLI
        return True

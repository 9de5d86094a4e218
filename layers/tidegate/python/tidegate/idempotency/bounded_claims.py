"""Claims that end in time: all steps of one together, and none is begun while the store is known to hang.

What fails at once costs nobody anything, and is tried anew by each request. A store that hangs would hold each request
for the whole time, and a thread with it: after one call that wasn't answered the others are refused at once, but for
one probe at a time, and as soon as the table answers anything it is asked again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from tidegate.errors import StoreUnavailableError
from tidegate.failover.breaker import Breaker

if TYPE_CHECKING:
    from tidegate.bounded import Bounded

Result = TypeVar("Result")

# Less than the three seconds in which a request whose claim can't be had is answered.
CLAIM_WITHIN_S = 2.8


class BoundedClaims:
    """How the store that guards effects is asked.

    Args:
        breaker: the claims' own; only calls that weren't answered in time open it.
        within_s: seconds for all of a call.
    """

    def __init__(self, breaker: Breaker, within_s: float = CLAIM_WITHIN_S) -> None:
        self._breaker = breaker
        self._within_s = within_s
        self._bounded: Bounded | None = None

    def heard(self) -> None:
        """Note that the table has answered something: the next claim may be tried, too."""
        self._breaker.hopeful()

    def ask(self, call: Callable[[], Result]) -> Result:
        """Make a call to the store.

        Raises:
            StoreUnavailableError: it failed, or didn't answer in time, or hasn't answered others.
        """
        permission = self._breaker.permission()
        if permission == "refuse":
            raise StoreUnavailableError("dynamodb", "breaker-open", "it didn't answer a claim a moment ago")
        try:
            result = self._threads().run(call, self._within_s)
        except BaseException as error:
            if isinstance(error, TimeoutError) or getattr(error, "kind", None) == "timeout":
                self._breaker.failed(permission)
            else:
                self._breaker.succeeded(permission)
            if isinstance(error, TimeoutError):
                raise StoreUnavailableError("dynamodb", "timeout", str(error)) from error
            raise
        self._breaker.succeeded(permission)
        return result

    def _threads(self) -> Bounded:
        if self._bounded is None:  # made twice by two who come at once, one of them serves for one call
            from tidegate.bounded import Bounded  # noqa: PLC0415  only what claims needs it

            self._bounded = Bounded("tidegate-claims", most=64)
        return self._bounded

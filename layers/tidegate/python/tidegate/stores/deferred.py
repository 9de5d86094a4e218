"""What is made when it is first needed: behind a Redis that is well, a cold start pays for nothing of DynamoDB's.

Health shows it all the same, untried until it is asked.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING, Generic, TypeVar

from tidegate.clock import Clock
from tidegate.question import Answer, ClaimAnswer, ClaimRequest, Completed, Question
from tidegate.stores.base import Store
from tidegate.stores.tracked import StoreState

if TYPE_CHECKING:
    from tidegate.stores.table_parts import TableParts

Value = TypeVar("Value")
Result = TypeVar("Result")


class Deferred(Generic[Value]):
    """Something made once, by whoever needs it first; thread-safe.

    Args:
        make: makes it; what it raises is raised, and the next who needs it tries again.
    """

    def __init__(self, make: Callable[[], Value]) -> None:
        self._make = make
        self._lock = Lock()
        self.made: Value | None = None

    def __call__(self) -> Value:
        """Return it."""
        if self.made is None:
            with self._lock:
                if self.made is None:
                    self.made = self._make()
        return self.made


class DeferredRung:
    """DynamoDB's place on the ladder.

    Args:
        parts: what it is made of.
        clock: where the time comes from.
    """

    name = "dynamodb"

    def __init__(self, parts: Deferred[TableParts], clock: Clock) -> None:
        self._parts = parts
        self._untried = StoreState(self.name, "untried", "closed", clock.wall_us())

    @property
    def state(self) -> StoreState:
        """What is known now."""
        made = self._parts.made
        return self._untried if made is None else made.rung.state

    @property
    def trusted(self) -> bool:
        """Whether questions go to it without a probe."""
        made = self._parts.made
        return made is None or made.rung.trusted

    def ask(self, call: Callable[[Store], Result]) -> Result:
        """Ask the store through its breaker.

        Raises:
            StoreUnavailableError: the breaker refuses, or the store failed now.
        """
        return self._parts().rung.ask(call)

    def check(self, patience_s: float) -> None:
        """Probe the store now, whatever its breaker says."""
        self._parts().rung.check(patience_s)

    def close(self) -> None:
        """Let go of whatever was made."""
        if self._parts.made is not None:
            self._parts.made.close()

    def watch(self, question: Question, answer: Answer) -> None:
        """Tell the fallback what Redis has decided, once there is a fallback."""
        for watcher in () if self._parts.made is None else self._parts.made.watchers:
            watcher(question, answer)


class DeferredClaims:
    """The claims in DynamoDB (see `ClaimStore`).

    Args:
        table: the table's name.
        parts: what they are made of.
    """

    def __init__(self, table: str, parts: Deferred[TableParts]) -> None:
        self.table = table
        self._parts = parts

    def claim(self, request: ClaimRequest) -> ClaimAnswer:
        """Try to take the claim."""
        return self._parts().claims.claim(request)

    def recall(self, request: ClaimRequest) -> Completed | None:
        """Return the answer that the same request was given before."""
        return self._parts().claims.recall(request)

    def renew(self, request: ClaimRequest, points: bytes = b"") -> bool:
        """Hold the claim anew."""
        return self._parts().claims.renew(request, points)

    def complete(self, request: ClaimRequest, record: bytes) -> bool:
        """Store the answer under the claim."""
        return self._parts().claims.complete(request, record)

    def release(self, request: ClaimRequest) -> bool:
        """Give the claim up without an answer."""
        return self._parts().claims.release(request)

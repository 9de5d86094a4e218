"""DynamoDB's place in the chain; its parts are made at first use, so that a cold start behind a well Redis is short.

Health shows DynamoDB all the same, as untried until the first question.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from tidegate.clock import Clock
from tidegate.failover.circuit import StoreState
from tidegate.lazy import Lazy
from tidegate.messages import Answer, Question
from tidegate.steps import Steps, blocking, run
from tidegate.stores.base import Store

if TYPE_CHECKING:
    from tidegate.compose_dynamodb import DynamoComponents


Result = TypeVar("Result")


class LazyDynamoHandle:
    """DynamoDB's place in the failover chain.

    Args:
        parts: its parts, made at first use.
        clock: where the time comes from.
    """

    name = "dynamodb"

    def __init__(self, parts: Lazy[DynamoComponents], clock: Clock) -> None:
        self._parts = parts
        self._untried = StoreState(self.name, "untried", "closed", clock.wall_us())

    @property
    def state(self) -> StoreState:
        """The state now."""
        made = self._parts.made
        return self._untried if made is None else made.handle.state

    @property
    def trusted(self) -> bool:
        """Whether questions go to it without a probe."""
        made = self._parts.made
        return made is None or made.handle.trusted

    def ask(self, call: Callable[[Store], Result]) -> Result:
        """Ask the store through its breaker.

        Raises:
            StoreUnavailableError: the breaker refuses, or the store failed now.
        """
        return self._parts().handle.ask(call)

    def admitting(self, question: Question) -> Steps[Answer]:
        """Return a decision as one step, since making the parts blocks, too.

        Raises:
            StoreUnavailableError: as `ask`.
        """
        return blocking(lambda: run(self._parts().handle.admitting(question)))

    def check(self, patience_s: float) -> None:
        """Probe the store now, whatever its breaker says."""
        self._parts().handle.check(patience_s)

    def close(self) -> None:
        """Close whatever was made."""
        if self._parts.made is not None:
            self._parts.made.close()

    def watch(self, question: Question, answer: Answer) -> None:
        """Pass Redis' decision to the fallback's watchers, if the fallback was made."""
        for watcher in () if self._parts.made is None else self._parts.made.watchers:
            watcher(question, answer)

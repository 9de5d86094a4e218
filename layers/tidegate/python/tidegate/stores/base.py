"""The protocol of every store. Implementations are thread-safe; the guard chooses how to wait for them.

Decisions and claims have a protocol each. DynamoDB and memory implement both, Redis answers a claim within the
decision. Every failure inside a store leaves it as `StoreUnavailableError`.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from tidegate.messages import Answer, Question, Settlement
from tidegate.steps import Steps, blocking


class Store(Protocol):
    """Decides questions."""

    @property
    def name(self) -> str:
        """The technology: `redis`, `dynamodb` or `memory`."""

    def admit(self, question: Question) -> Answer:
        """Decide a question and, if it is admitted, charge for it, atomically.

        Raises:
            StoreUnavailableError: there is no decision, and something may have been charged.
        """

    def settle(self, settlement: Settlement) -> bool:
        """Write a request's settlement, or renew its claim; return False if the claim was no longer its own.

        Raises:
            StoreUnavailableError: some or all of it may not be written.
        """

    def probe(self, patience_s: float | None = None) -> None:
        """Find out by one write whether the store would decide now.

        Args:
            patience_s: seconds to wait, if no request waits for a decision; the time of a decision if None.

        Raises:
            StoreUnavailableError: it would not.
        """

    def close(self) -> None:
        """Close the connections; the store may be used again and then reconnects."""


@runtime_checkable
class Stepping(Protocol):
    """Makes the steps of a decision and of a probe, which an event loop can wait for, too."""

    def admitting(self, question: Question) -> Steps[Answer]:
        """Return the steps of `Store.admit`."""

    def probing(self) -> Steps[None]:
        """Return the steps of `Store.probe`."""


class BlockingSteps:
    """The steps of a store that only blocks: each call is one.

    Args:
        store: the store.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def admitting(self, question: Question) -> Steps[Answer]:
        """Return the decision as one step."""
        return blocking(lambda: self._store.admit(question))

    def probing(self) -> Steps[None]:
        """Return the probe as one step."""
        return blocking(self._store.probe)

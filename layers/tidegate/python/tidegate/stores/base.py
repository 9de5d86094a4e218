"""What every store can do. Implementations are blocking and thread-safe; the guard chooses how to wait.

One protocol for decisions and one for claims: DynamoDB and memory speak both, Redis answers a claim inside the
decision itself, and whatever goes wrong inside a store leaves it as `StoreUnavailableError`.
"""

from __future__ import annotations

from typing import Protocol

from tidegate.question import Answer, ClaimAnswer, ClaimRequest, Completed, Question, Settlement


class Store(Protocol):
    """Decides questions."""

    @property
    def name(self) -> str:
        """The technology: `redis`, `dynamodb` or `memory`."""

    def admit(self, question: Question) -> Answer:
        """Decide a question and, if it is admitted, charge for it, atomically.

        Raises:
            StoreUnavailableError: no decision; whether anything was charged is unknown.
        """

    def settle(self, settlement: Settlement) -> bool:
        """Write what a request leaves, or renew its claim; False if the claim was no longer its own.

        Raises:
            StoreUnavailableError: nothing is known to be written.
        """

    def probe(self, patience_s: float | None = None) -> None:
        """Find out, in one attempt that writes, whether the store would take a decision now.

        Args:
            patience_s: seconds to wait where nobody waits for a decision; as long as a decision if None.

        Raises:
            StoreUnavailableError: it would not.
        """

    def close(self) -> None:
        """Let go of connections; the store may be used again and then reconnects."""


class ClaimStore(Protocol):
    """Guards effects: at most one live attempt holds a claim, and only its holder can complete it."""

    @property
    def table(self) -> str | None:
        """The DynamoDB table that holds the claims, for a handler's own condition checks; None elsewhere."""

    def claim(self, request: ClaimRequest) -> ClaimAnswer:
        """Try to take the claim. Asking again with the same attempt is answered `Granted` again.

        Raises:
            StoreUnavailableError: unknown; the handler must not run.
        """

    def recall(self, request: ClaimRequest) -> Completed | None:
        """Return the answer that the same request was given before, without claiming anything.

        Raises:
            StoreUnavailableError: unknown.
        """

    def renew(self, request: ClaimRequest, points: bytes = b"") -> bool:
        """Hold the claim for `hold_ms` from now, and keep these recovery points in place of those before.

        Returns:
            False if another attempt took the claim over meanwhile, or it has ended. Safe to repeat.

        Raises:
            StoreUnavailableError: unknown; the claim stands at least until the deadline that it had.
        """

    def complete(self, request: ClaimRequest, record: bytes) -> bool:
        """Store the answer under the claim; False if another attempt took it over meanwhile.

        Raises:
            StoreUnavailableError: not known to be stored.
        """

    def release(self, request: ClaimRequest) -> bool:
        """Give the claim up without an answer; False if it wasn't held.

        It is as if the request had never come, unless recovery points are kept: then the claim stays, held by
        nobody, for the next attempt with the same payload to continue.

        Raises:
            StoreUnavailableError: not known to be released; the claim ends by itself after its hold.
        """

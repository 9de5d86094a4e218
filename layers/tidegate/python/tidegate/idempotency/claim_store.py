"""What every store of claims can do. Implementations are blocking and thread-safe."""

from __future__ import annotations

from typing import Protocol

from tidegate.messages import ClaimAnswer, ClaimRequest, Completed


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

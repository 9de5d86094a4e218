"""Claims in DynamoDB whose parts are made when the first is asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from tidegate.idempotency.bounded_claims import BoundedClaims
from tidegate.idempotency.claim_store import ClaimStore
from tidegate.messages import ClaimAnswer, ClaimRequest, Completed

if TYPE_CHECKING:
    from tidegate.compose_dynamodb import DynamoComponents

from tidegate.lazy import Lazy

Result = TypeVar("Result")


class LazyClaims:
    """The claims in DynamoDB (see `ClaimStore`), which end in time.

    Args:
        table: the table's name.
        parts: what they are made of.
        in_time: how they are asked for.
    """

    def __init__(self, table: str, parts: Lazy[DynamoComponents], in_time: BoundedClaims) -> None:
        self.table = table
        self._parts = parts
        self._in_time = in_time

    def claim(self, request: ClaimRequest) -> ClaimAnswer:
        """Try to take the claim."""
        return self._ask(lambda claims: claims.claim(request))

    def recall(self, request: ClaimRequest) -> Completed | None:
        """Return the answer that the same request was given before."""
        return self._ask(lambda claims: claims.recall(request))

    def renew(self, request: ClaimRequest, points: bytes = b"") -> bool:
        """Hold the claim anew."""
        return self._ask(lambda claims: claims.renew(request, points))

    def complete(self, request: ClaimRequest, record: bytes) -> bool:
        """Store the answer under the claim."""
        return self._ask(lambda claims: claims.complete(request, record))

    def release(self, request: ClaimRequest) -> bool:
        """Give the claim up without an answer."""
        return self._ask(lambda claims: claims.release(request))

    def _ask(self, call: Callable[[ClaimStore], Result]) -> Result:
        # What is loaded takes long on a small machine, but waits for nobody: it takes nothing of a claim's time.
        parts = self._parts()
        parts.client.prepare()
        return self._in_time.ask(lambda: call(parts.claims))

"""The outcome of an order's transaction, read from DynamoDB's reasons; apart from the driver, so cheap to import."""

from collections.abc import Sequence
from enum import Enum, auto

CONFLICTS = frozenset({"TransactionConflictException", "TransactionInProgressException"})


class Commit(Enum):
    """The outcome of one attempt to write an order."""

    WRITTEN = auto()
    ALREADY_THERE = auto()  # an order of this id exists, from an earlier attempt
    CLAIM_LOST = auto()  # another attempt took the claim over: this one may have no effect
    PRODUCT_CHANGED = auto()  # a product's price, currency or stock has changed since it was priced
    CONFLICT = auto()  # another transaction was writing the same items


def refusal_of(reasons: Sequence[str | None], *, fenced: bool) -> Commit | None:
    """Read a cancelled transaction's reasons, in the sequence [claim check, if fenced] + order + products.

    The claim takes precedence: without it the other reasons don't matter. None: no refusal, but a failure such as
    throttling.
    """
    claim = reasons[:1] if fenced else []
    order, products = reasons[len(claim) : len(claim) + 1], reasons[len(claim) + 1 :]
    if "ConditionalCheckFailed" in claim:
        return Commit.CLAIM_LOST
    if "ConditionalCheckFailed" in order:
        return Commit.ALREADY_THERE
    if "TransactionConflict" in reasons:
        return Commit.CONFLICT
    if "ConditionalCheckFailed" in products:
        return Commit.PRODUCT_CHANGED
    return None

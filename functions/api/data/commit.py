"""How an order's transaction ended, read from DynamoDB's reasons; apart from the driver, cheap to import."""

from collections.abc import Sequence
from enum import Enum, auto

CONFLICTS = frozenset({"TransactionConflictException", "TransactionInProgressException"})


class Commit(Enum):
    """What became of one attempt to write an order."""

    WRITTEN = auto()
    ALREADY_THERE = auto()  # an order of this id exists: an earlier attempt got as far as this
    CLAIM_LOST = auto()  # somebody else took the claim over: this attempt may have no effect
    PRODUCT_CHANGED = auto()  # a product's price, currency or stock isn't what it was priced with
    CONFLICT = auto()  # another transaction was at the same items


def refusal_of(reasons: Sequence[str | None], *, fenced: bool) -> Commit | None:
    """Read a cancelled transaction's reasons, in the sequence [claim check, if fenced] + order + products.

    The claim goes first: an attempt that lost it has nothing to say about the rest. None: no refusal, but
    trouble (throttling, say).
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

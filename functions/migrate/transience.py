"""Errors that pass by themselves: the checkpoint stands, and the next invocation goes on."""

from __future__ import annotations

from botocore.exceptions import ClientError, ConnectionError, HTTPClientError  # noqa: A004  botocore's

from functions.migrate.ledger import SupersededError

_THROTTLES = frozenset(
    {
        "InternalServerError",
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ServiceUnavailable",
        "ThrottlingException",
        "TransactionConflictException",
    }
)


def passes(error: BaseException) -> bool:
    """Tell whether an error is the tables' bad moment, or another runner's turn, and not the migration's fault."""
    if isinstance(error, ClientError):
        return error.response["Error"].get("Code") in _THROTTLES
    return isinstance(error, SupersededError | HTTPClientError | ConnectionError)

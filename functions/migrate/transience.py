"""Errors that pass by themselves: the checkpoint stands, and the next invocation goes on."""

from __future__ import annotations

from botocore.exceptions import ClientError, ConnectionError, HTTPClientError  # noqa: A004  botocore's

from functions.migrate.faults import TableNotReadyError, cause
from functions.migrate.ledger import SupersededError

_THROTTLES = frozenset(
    {
        "InternalServerError",
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "ReplicatedWriteConflictException",
        "RequestLimitExceeded",
        "ServiceUnavailable",
        "Throttling",
        "ThrottlingException",
        "TransactionConflictException",
    }
)


def passes(error: BaseException) -> bool:
    """Tell whether an error is the tables' bad moment, or another runner's turn, and not the migration's fault."""
    found = cause(error)
    if isinstance(found, ClientError):
        status = found.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return found.response["Error"].get("Code") in _THROTTLES or status >= 500
    return isinstance(found, SupersededError | TableNotReadyError | HTTPClientError | ConnectionError)

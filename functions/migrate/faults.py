"""What stops a backfill, said for a person: on which item, and why."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

# An error's text that a reason has; whoever reports it has no room for a document.
_MOST = 1000


class ItemError(Exception):
    """A backfill failed on an item; `cause` is why.

    Args:
        key: the item's, in DynamoDB's JSON.
        cause: the error of the computation, or of the update.
    """

    def __init__(self, key: Mapping[str, Any], cause: BaseException) -> None:
        super().__init__(f"on the item {_shown(key)}: {said(cause)}")
        self.cause = cause


class TableMissingError(Exception):
    """There is no such table; the message names it."""


class TableNotReadyError(Exception):
    """A table is about to be there."""


def said(error: BaseException) -> str:
    """Say an error by its kind and its text."""
    if isinstance(error, ItemError | TableMissingError | TableNotReadyError):
        return str(error)
    if isinstance(error, ClientError):
        told = error.response["Error"]
        return f"{told.get('Code', 'ClientError')}: {told.get('Message', error)}"[:_MOST]
    return f"{type(error).__name__}: {error}"[:_MOST]


def cause(error: BaseException) -> BaseException:
    """Return what an item's error came from, or the error itself."""
    return error.cause if isinstance(error, ItemError) else error


def _shown(key: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {_value(value)}" for name, value in key.items())


def _value(value: Mapping[str, Any]) -> str:
    ((kind, content),) = value.items()
    if kind == "B":
        return f"0x{bytes(content).hex()}"
    return json.dumps(content, ensure_ascii=False) if kind == "S" else str(content)

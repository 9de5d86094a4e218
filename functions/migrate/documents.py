"""Backfills and keys of items as JSON, for the journal: binary values become Base64."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from functions.migrate.migration import Backfill

Document = dict[str, Any]

# No attribute, and no type of DynamoDB's, has text beside this name.
_BINARY = "base64"


def dumps(value: Any) -> str:
    """Write JSON with DynamoDB's values in it."""
    return json.dumps(value, default=_encoded)


def loads(text: str) -> Any:
    """Read what `dumps` wrote."""
    return json.loads(text, object_hook=_decoded)


def of_backfill(backfill: Backfill) -> Document | None:
    """Write a backfill as a document; None: it computes something, which only its file can say."""
    if backfill.computed is not None:
        return None
    return {
        "table": backfill.table,
        "where": backfill.where,
        "update": backfill.update,
        "names": dict(backfill.names),
        "values": dict(backfill.values),
        "reads": list(backfill.reads),
    }


def to_backfill(document: Mapping[str, Any]) -> Backfill:
    """Read a backfill from its document."""
    return Backfill(**document)


def _encoded(value: object) -> Any:
    if isinstance(value, bytes | bytearray):
        return {_BINARY: base64.b64encode(value).decode()}
    if isinstance(value, set | frozenset | tuple):
        return list(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} can't be written down")


def _decoded(document: Document) -> Any:
    if document.keys() == {_BINARY} and isinstance(document[_BINARY], str):
        return base64.b64decode(document[_BINARY])
    return document

"""The requests that a release may send once more, to both versions, if clients send too few to compare them.

Only GET requests that succeeded count, and only on routes whose policy says `replayable`. Only the target is recorded,
neither header fields nor the principal. A target with a query parameter whose name suggests a credential isn't
recorded.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_LONGEST = 200
# The mark in the context of an event that a release replays. Only principals that may invoke the function can set it.
DIRECT = ("tidegate", "replay")


def target_of(scope: Mapping[str, Any]) -> str | None:
    """Return the path with the query, or None if it may not be recorded."""
    from urllib.parse import parse_qsl, quote  # noqa: PLC0415  only for replayable routes, once a minute

    from tidegate.overflow.kept_fields import is_secret  # noqa: PLC0415  as above

    query = (scope.get("query_string") or b"").decode("latin-1")
    if any(is_secret(name) for name, _ in parse_qsl(query, keep_blank_values=True)):
        return None
    path = scope.get("path", "")
    target = quote(path) + (f"?{query}" if query else "")
    return target if len(target) <= _LONGEST and target.isascii() and target.isprintable() else None


def is_replayed(scope: Mapping[str, Any]) -> bool:
    """Return whether a release replayed this request."""
    event = scope.get("aws.event")
    context = event.get("requestContext") if event else None
    return isinstance(context, dict) and context.get(DIRECT[0]) == DIRECT[1]

"""References in responses to other paths of the application, such as a `Location` (RFC 9110, section 10.2.2).

A client resolves a reference against the address that it has asked. There something may come before the application's
path: a stage, a base path, a proxy's prefix. The application doesn't always know all of that, since a gateway may
remove more than it reports. So if there is a root path, the reference is relative, and right with any prefix. Without
one it is the whole path.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote


def reference(scope: Mapping[str, Any], path: str) -> str:
    """Return a `Location`, or any other reference, for the client of a request.

    Args:
        scope: the request's ASGI scope.
        path: the path to refer to, as the application's routes have it, such as `/v1/orders/17`.
    """
    target = quote(path)
    root = str(scope.get("root_path", "")).rstrip("/")
    if not root:
        return target
    asked = _below(scope, root).split("/")[1:-1]
    parts = target.split("/")[1:]
    shared = 0
    while shared < min(len(asked), len(parts) - 1) and asked[shared] == parts[shared]:
        shared += 1
    relative = "/".join([".."] * (len(asked) - shared) + parts[shared:])
    # A reference that begins with an empty segment would name an authority.
    return relative if relative and not relative.startswith("/") else f"./{relative}"


def _below(scope: Mapping[str, Any], root: str) -> str:
    """Return the request's path below the root as the client wrote it, in which a slash within a segment is escaped."""
    raw = scope.get("raw_path")
    path = raw.partition(b"?")[0].decode("latin-1") if isinstance(raw, bytes) and raw else quote(str(scope["path"]))
    written = quote(root)
    return path[len(written) :] if path == written or path.startswith(written + "/") else path

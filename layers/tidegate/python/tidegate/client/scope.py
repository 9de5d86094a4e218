"""Which requests are taken to share a quota: those of one method and route.

A client doesn't know a server's routes. It takes a path's segments that look like ids for one and the same:
`/v1/orders/8731` and `/v1/orders/8732` are `/v1/orders/{}`.
"""

from __future__ import annotations

import re

_ID = re.compile(
    r"[0-9]+"  # a number
    r"|[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}"  # a UUID
    r"|(?=[^/]*[0-9])[A-Za-z0-9_.~-]{16,}"  # a ULID, a digest, a prefixed random id
)


def scope_of(method: str, path: str) -> str:
    """Return the method and the path, with ids left out."""
    return f"{method} " + "/".join("{}" if _ID.fullmatch(part) else part for part in path.split("/"))

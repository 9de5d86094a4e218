"""The scope of a quota: requests of one method and route are assumed to share one.

A client doesn't know a server's routes, so it replaces the segments of a path that look like ids: `/v1/orders/8731` and
`/v1/orders/8732` are `/v1/orders/{}`.
"""

from __future__ import annotations

import re

_ID = re.compile(
    r"[0-9]+"  # a number
    r"|[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}"  # a UUID
    r"|(?=[^/]*[0-9])[A-Za-z0-9_.~-]{16,}"  # a ULID, a digest, a prefixed random id
)


def scope_of(method: str, path: str) -> str:
    """Return the method and the path, with `{}` for each id."""
    return f"{method} " + "/".join("{}" if _ID.fullmatch(part) else part for part in path.split("/"))

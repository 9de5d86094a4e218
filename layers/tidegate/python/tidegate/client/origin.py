"""The fields that a redirect to another origin must not have.

httpx keeps a request's fields in a redirect, except `Authorization`, `Host` and cookies. API keys, idempotency keys,
deadlines and criticalities are for the first origin alone, too.
"""

from __future__ import annotations

import httpx

_PORTS = {"http": 80, "https": 443}
_KEPT_HOME = ("idempotency-key", "x-api-key")
_OURS = "tidegate-"


def is_elsewhere(url: httpx.URL, origin: httpx.URL) -> bool:
    """Whether a URL is of another origin, by httpx's rule: an upgrade of the same host from http to https isn't.

    Args:
        url: a redirect's.
        origin: the call's first URL.
    """
    if url.host != origin.host:
        return True
    is_upgrade = (origin.scheme, _port(origin), url.scheme, _port(url)) == ("http", 80, "https", 443)
    return not is_upgrade and (url.scheme, _port(url)) != (origin.scheme, _port(origin))


def leave_home(headers: httpx.Headers) -> None:
    """Remove the fields that are for the first origin alone."""
    for name in list(headers):
        if name in _KEPT_HOME or name.startswith(_OURS):
            del headers[name]


def _port(url: httpx.URL) -> int | None:
    return url.port or _PORTS.get(url.scheme)

"""Idempotent requests, which may be sent twice, and the key that makes others idempotent.

Source: RFC 9110, section 9.2.2; draft-ietf-httpapi-idempotency-key-header-07.
"""

from __future__ import annotations

import uuid
from fnmatch import fnmatchcase

import http_sf

KEY_FIELD = b"idempotency-key"

_IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})
_KEYED = frozenset({"POST", "PATCH"})


def may_repeat(method: str, *, has_key: bool) -> bool:
    """Whether a request may be sent twice with the effect of once."""
    return method in _IDEMPOTENT or is_keyed(method, has_key=has_key)


def is_keyed(method: str, *, has_key: bool) -> bool:
    """Whether a request may be sent twice only because it has a key."""
    return has_key and method in _KEYED


def wants_key(method: str, path: str, keys_for: bool | tuple[str, ...]) -> bool:  # noqa: FBT001  the option as it is
    """Whether a key is to be made for a request that has none.

    Args:
        method: the request's.
        path: the request's, without the query.
        keys_for: True or False for all POSTs and PATCHs, or patterns of paths (`/v1/orders`, `/v1/*`) from the root,
            with a leading slash or without.
    """
    if method not in _KEYED or isinstance(keys_for, bool):
        return method in _KEYED and bool(keys_for)
    return any(fnmatchcase(path.lstrip("/"), pattern.lstrip("/")) for pattern in keys_for)


def is_key(text: str | None) -> bool:
    """Whether a field's value is a key; an empty one, quoted or not, isn't."""
    return bool((text or "").strip().strip('"').strip())


def new_key() -> str:
    """Make a key, as a structured field's String."""
    return str(http_sf.ser(str(uuid.uuid4())))

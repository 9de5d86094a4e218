"""A queued request's response as it is read later: the handler's, without the fields for its own exchange alone."""

from __future__ import annotations

import string

from tidegate.web.problems import Headers
from tidegate.web.stored_response import StoredResponse

# Far above the largest response of a Lambda function (6 MB); the run of a larger one counts, but it isn't kept.
LARGEST_ANSWER_BYTES = 20 * 1024 * 1024

# These may be credentials: cookies, and the last fields of an authentication (RFC 7615). They are never stored.
_PERSONAL = frozenset({b"set-cookie", b"set-cookie2", b"authentication-info", b"proxy-authentication-info"})
# Their freshness is that of another resource, and for its owner alone: no cache may keep the response.
_OF_ANOTHER_RESOURCE = frozenset({b"age", b"cache-control", b"cdn-cache-control", b"expires", b"surrogate-control"})
_TOKEN = frozenset(b"!#$%&'*+-.^_`|~" + string.digits.encode() + string.ascii_letters.encode())
_BREAKING = frozenset(b"\x00\r\n")
NO_STORE = (b"cache-control", b"no-store")


def is_personal(name: bytes) -> bool:
    """Whether a response's field may carry a credential, by its name."""
    return name.lower() in _PERSONAL


def served(stored: StoredResponse) -> Headers:
    """Return the fields of a response that is read later, at an address of its own."""
    kept = tuple(
        (name, value)
        for name, value in stored.headers
        if not is_personal(name) and name.lower() not in _OF_ANOTHER_RESOURCE
    )
    return (*kept, NO_STORE)


def decoded(record: bytes) -> StoredResponse | None:
    """Read a stored response; None if it is malformed, or its body wasn't kept."""
    try:
        stored = StoredResponse.decode(record)
    except (AttributeError, MemoryError, RecursionError, ValueError):
        return None
    status: object = stored.status
    sound = isinstance(status, int) and 200 <= status <= 599 and stored.body is not None
    return stored if sound and all(_is_field(*pair) for pair in stored.headers) else None


def _is_field(name: bytes, value: bytes) -> bool:
    """Whether it is a valid field: a token, and a value without line ends (RFC 9110, sections 5.1 and 5.5)."""
    return bool(name) and not (set(name) - _TOKEN) and not (set(value) & _BREAKING)

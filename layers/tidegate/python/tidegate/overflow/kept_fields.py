"""The fields and query parameters that are kept of a queued request: all that its run needs, and no credentials.

Fields are kept by an allow-list of names, because any other field may be a credential. Query parameters are kept by a
deny-list, because their names are the application's own. Those are left out that have a credential's name, or that one
of the application's security schemes reads (RFC 6750, section 2.3, and presigned URLs).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote_plus

from tidegate.web.problems import Headers

# Representation, conditions, content negotiation and traces. Not `Accept-Encoding`: the response is kept unencoded, and
# the request that reads it sends its own. Not `Tidegate-Timeout-Ms`: a queued run is later than any client's deadline.
STANDARD = frozenset(
    b"accept accept-charset accept-language content-digest content-disposition content-encoding content-language "
    b"content-length content-md5 content-range content-type digest host idempotency-key if-match "
    b"if-modified-since if-none-match if-unmodified-since prefer repr-digest tidegate-criticality traceparent "
    b"tracestate user-agent x-amzn-trace-id x-correlation-id x-forwarded-host x-forwarded-port x-forwarded-prefix "
    b"x-forwarded-proto x-request-id".split()
)
# These carry a credential by definition, and a policy can't keep them.
CREDENTIALS = frozenset(
    b"authorization cookie cookie2 proxy-authorization set-cookie x-amz-security-token x-api-key".split()
)

# Words of credentials: anywhere in a name; as a name's last word; as the whole name, harmless as a part of others.
_CREDENTIAL_PARTS = (
    r"auth(?!ors?(?![a-z]))|token|secret|session|credential|passw|passphrase|signature|jwt|bearer|assertion|"
    r"(?:api|access|private|subscription|shared)[-_.]?key"
)
_CREDENTIAL_ENDINGS = r"(?:^|[-_.])(?:pwd|pin|otp|sid|sig|hmac)$"
_CREDENTIAL_NAMES = frozenset({"key", "code", "nonce", "ticket"})
_FIELD_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+", re.ASCII)


class Kept(NamedTuple):
    """The fields that are kept beside the standard ones, and the query parameters that are left out.

    Attributes:
        fields: further fields to keep, their names in lower case.
        query: query parameters to keep although they have a credential's name.
        schemes: the pairs (place, name) at which security schemes read credentials; the place is `header`, `query` or
            `cookie`.
    """

    fields: frozenset[bytes] = frozenset()
    query: frozenset[str] = frozenset()
    schemes: frozenset[tuple[str, str]] = frozenset()

    @classmethod
    def named(cls, names: Iterable[str], schemes: frozenset[tuple[str, str]]) -> Kept:
        """Read the names of a policy: fields, and query parameters with a question mark before them."""
        names = tuple(names)
        fields = frozenset(name.lower().encode() for name in names if not name.startswith("?"))
        return cls(fields, frozenset(name[1:] for name in names if name.startswith("?")), schemes)

    def has_field(self, name: bytes) -> bool:
        """Whether a field is kept, by its name in lower case."""
        if ("header", name.decode("latin-1")) in self.schemes:
            return False
        return name in STANDARD or (name in self.fields and name not in CREDENTIALS)

    def has_parameter(self, name: str) -> bool:
        """Whether a query parameter is kept."""
        return ("query", name) not in self.schemes and (name in self.query or not is_secret(name))

    def headers(self, headers: Iterable[tuple[bytes, bytes]]) -> Headers:
        """Return the fields that are kept, their names in lower case."""
        return tuple((name, bytes(v)) for n, v in headers if self.has_field(name := bytes(n).lower()))

    def query_string(self, query: bytes) -> bytes:
        """Return the query without its credentials, and otherwise unchanged."""
        if not query:
            return query
        pairs = query.split(b"&")
        kept = [pair for pair in pairs if self.has_parameter(_name(pair))]
        return query if len(kept) == len(pairs) else b"&".join(kept)

    def secrets_of(self, query: bytes) -> bytes:
        """Return the credentials of a query, sorted, so that their order makes no difference."""
        return b"&".join(sorted(pair for pair in query.split(b"&") if not self.has_parameter(_name(pair))))


def wrong_name(name: str) -> str | None:
    """Return a sentence on what is wrong with a policy's name; None if it is valid."""
    if name.startswith("?"):
        return None if len(name) > 1 else "'?' names no query parameter; write its name behind the question mark"
    if not _FIELD_NAME.fullmatch(name.lower()):
        return f"{name!r} is no field's name; write it as in HTTP, such as 'x-tenant'"
    if name.lower().encode() in CREDENTIALS:
        return f"{name!r} carries credentials, which are never kept; let `identify` find the caller by it instead"
    return None


@lru_cache(maxsize=1024)
def is_secret(name: str) -> bool:
    """Whether a query parameter or a field has a credential's name."""
    small = name.lower()
    return (
        small in _CREDENTIAL_NAMES
        or re.search(_CREDENTIAL_PARTS, small) is not None
        or re.search(_CREDENTIAL_ENDINGS, small) is not None
    )


def _name(pair: bytes) -> str:
    return unquote_plus(pair.partition(b"=")[0].decode("latin-1"), errors="replace")

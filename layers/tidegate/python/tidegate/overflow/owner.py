"""The owner of a queued request: its principal, together with the credentials of the request.

A request is sent to one route and its response is read at another, so the owner is known only by what a client sends to
both. That is the session, and the fields, cookies and query parameters that the application's security schemes read,
that `protect(credentials=…)` names, or that have a credential's name. A route's other parameters don't count.
"""

from __future__ import annotations

from collections.abc import Iterable

from tidegate.identity.caller import Caller, Scope
from tidegate.identity.credentials import credentials_digest
from tidegate.identity.dependants import Reads
from tidegate.overflow.kept_fields import Kept


def read_together(everywhere: Reads, routes: Iterable[Reads]) -> Reads:
    """Return the places that these routes' security schemes read, and those that all routes read."""
    schemes = frozenset[tuple[str, str]]().union(*(reads.schemes for reads in routes))
    return Reads(
        everywhere.fields | _names(schemes, "header"),
        _names(schemes, "cookie"),
        _names(schemes, "query"),
        everywhere.session_cookies,
        schemes=schemes,
    )


def owner_credentials(scope: Scope, caller: Caller, reads: Reads, secret: bytes) -> str:
    """Return a keyed digest of the owner's credentials; empty if the principal expresses them, or there are none.

    Args:
        scope: the ASGI scope, of the request itself or of the one that reads its response.
        caller: its caller.
        reads: where the application reads credentials; the same on both routes.
        secret: the digest's key, the same in all environments.
    """
    secrets = Kept(schemes=reads.schemes).secrets_of(bytes(scope.get("query_string", b"")))
    return credentials_digest({**scope, "query_string": secrets}, caller, reads, secret)


def _names(schemes: Iterable[tuple[str, str]], wanted: str) -> frozenset[str]:
    return frozenset(name for place, name in schemes if place == wanted)

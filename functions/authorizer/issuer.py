"""An issuer's public keys, where its discovery document says they are, read in bounded time and size.

Sources: OpenID Connect Discovery 1.0, sections 3 and 4; RFC 7517, sections 4 and 5.
"""

import json
from http.client import HTTPMessage
from time import monotonic
from typing import IO, Any, NamedTuple
from urllib.request import HTTPRedirectHandler, Request, build_opener

import jwt

from functions.authorizer.settings import ALGORITHMS, is_safe

# Of each wait for the issuer, and of a document as a whole.
_WAIT_S, _DOCUMENT_S = 3.0, 5.0
_LARGEST = 1 << 20
_CHUNK = 1 << 16
_RSA = {name for name in ALGORITHMS if name.startswith(("RS", "PS"))}
# Of OpenID Connect Discovery: where an issuer says where its keys are.
_DISCOVERY = "/.well-known/openid-configuration"


class IssuerError(Exception):
    """The issuer's keys can't be had; the message says why."""


class PublicKey(NamedTuple):
    """A key that verifies signatures of these algorithms; `name` is None if the issuer gives it none."""

    name: str | None
    algorithms: frozenset[str]
    key: Any


def published(issuer: str) -> tuple[PublicKey, ...]:
    """Fetch an issuer's keys.

    Args:
        issuer: its URL, as its tokens have it.

    Raises:
        IssuerError: it can't be reached, is another one than its name says, or publishes no key that verifies.
    """
    place = issuer.rstrip("/") + _DISCOVERY
    described = _document(place)
    if described.get("issuer") != issuer:
        raise IssuerError(f"{place} is of the issuer {_cut(described.get('issuer'))}: write that one, to the letter")
    keys_at = described.get("jwks_uri")
    if not isinstance(keys_at, str) or not is_safe(keys_at):
        raise IssuerError(f"{place} has the jwks_uri {_cut(keys_at)}, which isn't https")
    listed = _document(keys_at).get("keys")
    keys = tuple(key for one in listed if (key := _key(one))) if isinstance(listed, list) else ()
    if not keys:
        raise IssuerError(f"{keys_at} has no key that verifies signatures")
    return keys


def _key(published: Any) -> PublicKey | None:
    """Read one key; None if it isn't for signatures, or of a kind that is unknown here: others may be in use."""
    if not isinstance(published, dict) or published.get("kty") == "oct" or published.get("use", "sig") != "sig":
        return None
    try:
        found = jwt.PyJWK(published)
    except (jwt.PyJWTError, ValueError, TypeError, KeyError):
        return None
    name = published.get("kid")
    # A curve has one algorithm; an RSA key without `alg` has all of its kind.
    algorithms = _RSA if published.get("kty") == "RSA" and not published.get("alg") else {found.algorithm_name}
    return PublicKey(name if isinstance(name, str) else None, frozenset(algorithms), found.key)


class _NoRedirect(HTTPRedirectHandler):
    """Follows no redirect: it could lead away from https."""

    def redirect_request(
        self, _request: Request, _body: IO[bytes], _code: int, _message: str, _headers: HTTPMessage, _url: str
    ) -> None:
        return None


def _document(url: str) -> dict[str, Any]:
    try:
        with build_opener(_NoRedirect).open(Request(url), timeout=_WAIT_S) as answer:  # noqa: S310  is_safe has seen it
            document = json.loads(_body(answer))
    except Exception as error:
        raise IssuerError(f"{url} can't be read: {error!r}"[:300]) from error
    if not isinstance(document, dict):
        raise IssuerError(f"{url} is no JSON object")
    return document


def _body(answer: Any) -> bytes:
    ends_at = monotonic() + _DOCUMENT_S
    read = bytearray()
    while chunk := answer.read1(_CHUNK):
        read += chunk
        if len(read) > _LARGEST or monotonic() > ends_at:
            raise IssuerError(f"it is longer than {_LARGEST} bytes, or than {_DOCUMENT_S:.0f} s")
    return bytes(read)


def _cut(value: object) -> str:
    return repr(value)[:200]

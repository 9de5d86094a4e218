"""Who is asking: the principal that limits and idempotency keys belong to. No I/O."""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from typing import Any

from tidegate.settings import Settings

Scope = Mapping[str, Any]
Identify = Callable[[Scope], str]


def digest(*parts: str, size: int = 16) -> str:
    """Return a short, safe name for a tuple of strings: base64url without padding; `size` in bytes."""
    hashed = hashlib.blake2b(digest_size=size)
    for part in parts:
        encoded = part.encode("utf-8", "surrogatepass")
        hashed.update(b"%d:%b" % (len(encoded), encoded))
    return urlsafe_b64encode(hashed.digest()).rstrip(b"=").decode()


def header(scope: Scope, name: bytes) -> str | None:
    """Return the first field of that lower-case name, or None."""
    for key, value in scope["headers"]:
        if key == name:
            return str(value.decode("latin-1"))
    return None


class Identifier:
    """Finds the principal of a request.

    In this order: API Gateway's authorizer (`user:…`), the API key's id (`key:…`), a keyed digest of the
    `x-api-key` field where a gateway is trusted to have checked it (`key:…`), the caller's address (`ip:…`).
    An API key's value is never part of a principal.

    Args:
        settings: says whether to trust the field, and the digest's key.
    """

    def __init__(self, settings: Settings) -> None:
        self._trust_header = settings.trust_api_key_header
        self._secret = (settings.principal_secret or settings.namespace).encode()

    def __call__(self, scope: Scope) -> str:
        """Return the principal."""
        context = scope.get("aws.event", {}).get("requestContext", {})
        identity = context.get("identity") or {}
        return (
            _authorized(context.get("authorizer") or {})
            or _prefixed("key", identity.get("apiKeyId"))
            or self._by_header(scope)
            or f"ip:{_address(scope, context, identity)}"
        )

    def _by_header(self, scope: Scope) -> str | None:
        key = header(scope, b"x-api-key") if self._trust_header else None
        if not key:
            return None
        return "key:" + hmac.new(self._secret, key.encode(), hashlib.sha256).hexdigest()[:20]


def _authorized(authorizer: Mapping[str, Any]) -> str | None:
    """Read a REST API's authorizer (`principalId`, `claims`) or an HTTP API's (`jwt.claims`, `lambda`)."""
    claims = authorizer.get("claims") or (authorizer.get("jwt") or {}).get("claims") or {}
    own = authorizer.get("lambda") or {}
    return _prefixed("user", authorizer.get("principalId") or claims.get("sub") or own.get("principalId"))


def _prefixed(kind: str, value: object) -> str | None:
    return f"{kind}:{value}" if value else None


def _address(scope: Scope, context: Mapping[str, Any], identity: Mapping[str, Any]) -> str:
    source = identity.get("sourceIp") or (context.get("http") or {}).get("sourceIp")
    client = scope.get("client")
    return str(source or (client[0] if client else "unknown"))

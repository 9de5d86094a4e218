"""Who is asking: the principal that limits and idempotency keys belong to. No I/O."""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from tidegate.criticality import Criticality, parse
from tidegate.settings import Settings

Scope = Mapping[str, Any]


class Caller(NamedTuple):
    """Who asks.

    Attributes:
        principal: whose limits and idempotency keys count: `user:…`, `key:…`, `ip:…`, or an application's own.
        organisation: to whom the principal belongs, for limits `per="organisation"`; None: to nobody.
        time_zone: an IANA name, for quotas by the caller's own calendar.
        highest: the criticality up to which its tier may raise its requests above their routes'; None: by nothing.
    """

    principal: str
    organisation: str | None = None
    time_zone: str | None = None
    highest: Criticality | None = None

    @property
    def unknown(self) -> bool:
        """Whether nothing but an address is known of the caller."""
        return self.principal.startswith("ip:")


# An application's own function may return the principal alone.
Identify = Callable[[Scope], str | Caller]


def caller_of(found: str | Caller) -> Caller:
    """Return the caller that an `Identify` has found."""
    return found if isinstance(found, Caller) else Caller(found)


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
    An API key's value is never part of a principal. An authorizer may also say `organisation` and `timeZone`, in its
    context or as claims (`org_id` and `zoneinfo`, too, as OpenID Connect has them), and `criticality`: the highest
    that the caller's tier may claim.

    Args:
        settings: says whether to trust the field, and the digest's key.
    """

    def __init__(self, settings: Settings) -> None:
        self._trust_header = settings.trust_api_key_header
        self._secret = (settings.principal_secret or settings.namespace).encode()

    def __call__(self, scope: Scope) -> Caller:
        """Return the caller."""
        context = scope.get("aws.event", {}).get("requestContext", {})
        identity = context.get("identity") or {}
        authorizer = context.get("authorizer") or {}
        principal = (
            _authorized(authorizer)
            or _prefixed("key", identity.get("apiKeyId"))
            or self._by_header(scope)
            or f"ip:{_address(scope, context, identity)}"
        )
        if not authorizer:
            return Caller(principal)
        said = _said_by(authorizer)
        organisation = said.get("organisation") or said.get("org_id")
        zone = said.get("timeZone") or said.get("zoneinfo")
        highest = parse(str(said.get("criticality")))
        return Caller(principal, str(organisation) if organisation else None, str(zone) if zone else None, highest)

    def _by_header(self, scope: Scope) -> str | None:
        key = header(scope, b"x-api-key") if self._trust_header else None
        if not key:
            return None
        return "key:" + hmac.new(self._secret, key.encode(), hashlib.sha256).hexdigest()[:20]


def _authorized(authorizer: Mapping[str, Any]) -> str | None:
    """Read a REST API's authorizer (`principalId`, `claims`) or an HTTP API's (`jwt.claims`, `lambda`)."""
    said = _said_by(authorizer)
    return _prefixed("user", authorizer.get("principalId") or said.get("sub") or said.get("principalId"))


def _said_by(authorizer: Mapping[str, Any]) -> Mapping[str, Any]:
    """All that an authorizer says of the caller, in one mapping."""
    claims = authorizer.get("claims") or (authorizer.get("jwt") or {}).get("claims") or {}
    return {**authorizer, **(authorizer.get("lambda") or {}), **claims}


def _prefixed(kind: str, value: object) -> str | None:
    return f"{kind}:{value}" if value else None


def _address(scope: Scope, context: Mapping[str, Any], identity: Mapping[str, Any]) -> str:
    source = identity.get("sourceIp") or (context.get("http") or {}).get("sourceIp")
    client = scope.get("client")
    return str(source or (client[0] if client else "unknown"))

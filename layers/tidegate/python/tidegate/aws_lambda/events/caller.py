"""The caller, read from a gateway's event: one table for all kinds of events.

| by             | REST API (1.0)                        | HTTP API and function URL (2.0)     | principal |
|----------------|---------------------------------------|-------------------------------------|-----------|
| an authorizer  | `authorizer`: principalId, or claims  | `authorizer.jwt.claims`, `.lambda`  | `user:…`  |
| IAM            | `identity`: cognitoIdentityId, …      | `authorizer.iam`                    | `iam:…`   |
| a certificate  | `identity.clientCert`                 | `authentication.clientCert`         | `cert:…`  |
| an API key     | `identity.apiKeyId`                   |                                     | `key:…`   |

CloudFront signs what it sends to a function URL (origin access control). It is nobody's principal: it asks for all
viewers, under the name of one of its places. A balancer's event has none of these. A member of another shape than its
sender makes is ignored: the context of a REST API's authorizer holds only texts, and a text named `claims` isn't
claims.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tidegate.digests import digest

LONGEST = 256
# The role of CloudFront's own account under which it signs; the session is named after the place.
_CLOUDFRONTS = ":assumed-role/OriginAccessControlRole/"
# What authorizers call everybody: those that let anonymous callers in, those of the developer guide's samples (`user`,
# `me`), and those that write down a value that they haven't got.
_NOBODY = frozenset(
    [
        "",
        "anon",
        "anonymous",
        "guest",
        "me",
        "n/a",
        "nil",
        "nobody",
        "none",
        "null",
        "public",
        "unauthenticated",
        "undefined",
        "unknown",
        "user",
    ]
)
_EMPTY: Mapping[str, Any] = {}


def context_of(event: object) -> Mapping[str, Any]:
    """Return an event's `requestContext`."""
    return part(event, "requestContext")


def part(of: object, name: str) -> Mapping[str, Any]:
    """Return a member that is a JSON object; an empty one if there is none, or it is something else."""
    found = of.get(name) if isinstance(of, dict) else None
    return found if isinstance(found, dict) else _EMPTY


def text(of: Mapping[str, Any], *names: str) -> str | None:
    """Return the first of these members that is a text and not empty; a digest of it if it is long."""
    for name in names:
        value = of.get(name)
        if isinstance(value, str) and value:
            return value if len(value) <= LONGEST else digest(value)
    return None


def said_by(authorizer: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return an authorizer's context with its claims; claims are signed, so they win over members of the same name."""
    claims = part(authorizer, "claims") or part(part(authorizer, "jwt"), "claims")
    return {**authorizer, **part(authorizer, "lambda"), **claims}


def principal_of(context: Mapping[str, Any], authorizer: Mapping[str, Any], said: Mapping[str, Any]) -> str | None:
    """Return the principal that a gateway has authenticated; None if there is none.

    Args:
        context: the event's `requestContext`.
        authorizer: its `authorizer`.
        said: the authorizer's context with its claims, from `said_by`.
    """
    identity = part(context, "identity")
    if authorizer:
        known = _user(authorizer, said) or _iam(part(authorizer, "iam"))
        if known is not None:
            return known
    return _iam_of_rest(identity) or _certificate(context, identity) or _key(identity)


def _user(authorizer: Mapping[str, Any], said: Mapping[str, Any]) -> str | None:
    name = _name(authorizer.get("principalId")) or _name(said.get("sub")) or _name(said.get("principalId"))
    return None if name is None else f"user:{name}"


def _name(value: object) -> str | None:
    """Return a user's name or number as a text; None if it is no name of one caller."""
    if isinstance(value, str) and value.strip().lower() in _NOBODY:
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value) if abs(value) < 10**LONGEST else None
    return text({"name": value}, "name")


def _iam_of_rest(identity: Mapping[str, Any]) -> str | None:
    # Most callers aren't IAM's: these look-ups cost them next to nothing.
    get = identity.get
    if not (get("cognitoIdentityId") or get("userArn") or get("caller") or get("user")):
        return None
    # A Cognito identity is one person's; the role's ARN beside it is shared by all.
    name = text(identity, "cognitoIdentityId", "userArn", "caller", "user")
    return None if name is None else f"iam:{name}"


def signed_by_cloudfront(context: Mapping[str, Any]) -> bool:
    """Return whether CloudFront has signed the request, and so written the last address that its fields name."""
    return _is_cloudfronts(part(part(context, "authorizer"), "iam"))


def _is_cloudfronts(iam: Mapping[str, Any]) -> bool:
    return _CLOUDFRONTS in (text(iam, "userArn") or "")


def _iam(iam: Mapping[str, Any]) -> str | None:
    """Return the IAM principal in an event of an HTTP API or a function URL."""
    if _is_cloudfronts(iam):
        return None
    name = text(part(iam, "cognitoIdentity"), "identityId") or text(iam, "userArn", "callerId", "userId")
    return None if name is None else f"iam:{name}"


def _certificate(context: Mapping[str, Any], identity: Mapping[str, Any]) -> str | None:
    if "clientCert" not in identity and "authentication" not in context:
        return None
    certificate = part(identity, "clientCert") or part(part(context, "authentication"), "clientCert")
    issuer, serial = text(certificate, "issuerDN"), text(certificate, "serialNumber")
    if issuer is not None and serial is not None:
        return f"cert:{digest('issued', issuer, serial)}"
    return by_subject(text(certificate, "subjectDN"))


def by_subject(subject: str | None) -> str | None:
    """Return the principal of a certificate of which only the subject is known."""
    return None if subject is None else f"cert:{digest('subject', subject)}"


def _key(identity: Mapping[str, Any]) -> str | None:
    name = text(identity, "apiKeyId")
    return None if name is None else f"key:{name}"

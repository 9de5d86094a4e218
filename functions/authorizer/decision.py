"""Whether a token is let in, and as whom. No I/O: the keys are the caller's.

Sources: RFC 7519, sections 4 and 7.2; RFC 8725, "JSON Web Token Best Current Practices"; RFC 6750, section 2.1.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jwt

from functions.authorizer.issuer import PublicKey
from functions.authorizer.settings import Settings

_LONGEST = 8192
# Seconds by which the issuer's clock and this one may differ.
_LEEWAY_S = 10.0
_NEEDED = ("exp", "iss", "aud", "sub")
# What tidegate.identity.caller reads of an authorizer's context, and what an application may ask of its caller.
_TOLD = ("organisation", "org_id", "tier", "criticality", "zoneinfo", "scope", "client_id")
# Whatever a token's text makes a parser raise; nested deeply enough, it even runs out of stack.
_UNREADABLE = (jwt.PyJWTError, ValueError, TypeError, ArithmeticError, RecursionError)
_REASONS: tuple[tuple[type[BaseException], str], ...] = (
    (jwt.ExpiredSignatureError, "it has expired"),
    (jwt.ImmatureSignatureError, "it isn't valid yet"),
    (jwt.InvalidAudienceError, "it is for another audience"),
    (jwt.InvalidIssuerError, "it is of another issuer"),
    (jwt.InvalidSignatureError, "its signature isn't one of the key that it names"),
    (jwt.exceptions.InvalidSubjectError, "its subject is no text"),
    (jwt.InvalidKeyError, "the key that it names is too short"),
)

KeyOf = Callable[[str | None], PublicKey | None]


class RefusedError(Exception):
    """A token isn't let in; the message says why, and has nothing of the token."""


def policy_for(field: str, method_arn: str, settings: Settings, key_of: KeyOf) -> dict[str, Any]:
    """Return API Gateway's answer for a request: its caller, and leave to call every method of the API's stage.

    API Gateway keeps the answer for a token's other requests, so it can't be about this request's method alone.

    Args:
        field: the request's field Authorization.
        method_arn: the ARN of the method that it calls.
        settings: what a token must be.
        key_of: finds the issuer's key of a name.

    Raises:
        RefusedError: it has no valid token.
    """
    claims = _claims(field, settings, key_of)
    api, stage = method_arn.split("/", 2)[:2]
    allow = {"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": f"{api}/{stage}/*"}
    told = {name: value for name in _TOLD if isinstance(value := claims.get(name), str) and value}
    return {
        # Another issuer's subject of the same name would be another person.
        "principalId": f"{claims['iss']}:{claims['sub']}",
        "policyDocument": {"Version": "2012-10-17", "Statement": [allow]},
        "context": told,
    }


def _claims(field: str, settings: Settings, key_of: KeyOf) -> Mapping[str, Any]:
    scheme, _, token = field.partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token:
        raise RefusedError("the field is no Bearer token")
    if len(token) > _LONGEST:
        raise RefusedError(f"it is longer than {_LONGEST} characters")
    name, algorithm = _header(token, settings)
    key = key_of(name)
    if key is None:
        raise RefusedError("its issuer publishes no key of the name that it has")
    if algorithm not in key.algorithms:
        raise RefusedError("the key that it names is for another algorithm")
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            key.key,
            [algorithm],
            options={"require": list(_NEEDED), "enforce_minimum_key_length": True},
            audience=list(settings.audiences),
            issuer=settings.issuer,
            leeway=_LEEWAY_S,
        )
    except _UNREADABLE as error:
        raise RefusedError(_reason(error)) from None
    if not claims["sub"]:
        raise RefusedError("its subject is empty")
    return claims


def _header(token: str, settings: Settings) -> tuple[str | None, str]:
    """Return the name of a token's key, and its algorithm, which is one of those that are accepted."""
    try:
        header = jwt.get_unverified_header(token)
    except _UNREADABLE:
        raise RefusedError("it is no signed JSON Web Token") from None
    algorithm = header.get("alg")
    if algorithm not in settings.algorithms:
        raise RefusedError(f"its algorithm is none of {','.join(settings.algorithms)}")
    return header.get("kid"), str(algorithm)


def _reason(error: BaseException) -> str:
    if isinstance(error, jwt.MissingRequiredClaimError):
        return f"it has no {error.claim}"
    return next((reason for kind, reason in _REASONS if isinstance(error, kind)), "it can't be read")

"""The caller by the subject of a signed token: `protect(app, identify=JwtSubject(…))`.

It says whose limits and keys count, and lets nobody in: the application's own authentication decides that. A token that
isn't valid says nothing, so its bearer counts by address, as one without a token does. Source: RFC 7519, and RFC 8725,
"JSON Web Token Best Current Practices". It needs `pip install 'tidegate[jwt]'`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

try:
    import jwt
except ModuleNotFoundError as missing:
    raise ModuleNotFoundError(
        "tidegate.identity.jwt needs PyJWT: pip install 'tidegate[jwt]'", name=missing.name
    ) from missing

from tidegate.errors import ConfigurationError
from tidegate.identity.caller import NOT_TOLD, Caller, Identify, Scope, header
from tidegate.identity.jwks import KeySet

_LONGEST = 8192
_SYMMETRIC = frozenset({"HS256", "HS384", "HS512"})


class JwtSubject:
    """Finds a request's caller by its token: `jwt:ISSUER:SUBJECT`, or whoever `otherwise` finds.

    Args:
        key: the key that signs the tokens: a secret for `HS…`, a public key in PEM for the others.
        jwks_url: where the issuer's keys are, in place of `key`. They are fetched on a thread, kept, and fetched again
            for a key that isn't known, once in half a minute at most.
        algorithms: those that are accepted, such as `["RS256"]`; symmetric and asymmetric ones exclude each other.
        audience: the token must be for it; None, which has to be written, accepts tokens for anybody.
        issuer: the token must be from it.
        tier: the claim that names the caller's tier, for `Tiers`.
        organisation: the claim that names the caller's organisation.
        leeway_s: seconds by which clocks may differ.
        otherwise: finds the caller of a request without a valid token; if None, it is found as without `identify`.

    Raises:
        ConfigurationError: an argument is wrong, or they contradict each other.
    """

    def __init__(  # noqa: PLR0913  each is a claim to check, or where to find it
        self,
        *,
        algorithms: Sequence[str],
        audience: str | None,
        key: str | None = None,
        jwks_url: str | None = None,
        issuer: str | None = None,
        tier: str | None = None,
        organisation: str | None = None,
        leeway_s: float = 10.0,
        otherwise: Identify | None = None,
    ) -> None:
        _check(algorithms, key, jwks_url)
        self._algorithms = list(algorithms)
        self._key = key
        self._keys = None if jwks_url is None else KeySet(jwks_url)
        self._expected: dict[str, Any] = {"audience": audience, "issuer": issuer, "leeway": leeway_s}
        self._options: Any = {"require": ["exp", "sub"], "verify_aud": audience is not None}
        self._tier = tier
        self._organisation = organisation
        self._otherwise = otherwise

    def __call__(self, scope: Scope) -> str | Caller:
        """Return the caller.

        Raises:
            IdentityUnavailableError: the issuer's keys aren't known yet; the request gets a 503. Another principal in
                the meantime would run a retry of an idempotent request again.
        """
        claims = self._claims(header(scope, b"authorization") or "")
        if claims is None:
            return NOT_TOLD if self._otherwise is None else self._otherwise(scope)
        principal = f"jwt:{claims.get('iss', '')}:{claims['sub']}"
        return Caller(principal, self._text(claims, self._organisation), tier=self._text(claims, self._tier))

    def _claims(self, field: str) -> Mapping[str, Any] | None:
        scheme, _, token = field.partition(" ")
        if scheme.lower() != "bearer" or not 0 < len(token) <= _LONGEST:
            return None
        try:
            key: Any = (
                self._key if self._keys is None else self._keys.key_of(jwt.get_unverified_header(token).get("kid"))
            )
            if key is None:
                return None
            claims = jwt.decode(token.strip(), key, self._algorithms, options=self._options, **self._expected)
        except (jwt.PyJWTError, ValueError, TypeError):
            return None
        subject = claims["sub"]
        return claims if isinstance(subject, str) and subject else None

    @staticmethod
    def _text(claims: Mapping[str, Any], name: str | None) -> str | None:
        value = None if name is None else claims.get(name)
        return value if isinstance(value, str) and value else None


def _check(algorithms: Sequence[str], key: str | None, jwks_url: str | None) -> None:
    where = "JwtSubject(algorithms=…)"
    if isinstance(algorithms, str) or not algorithms:
        raise ConfigurationError(where, f"it is a list of names; write [{algorithms or 'RS256'!r}]")
    known = set(jwt.algorithms.get_default_algorithms()) - {"none"}
    if unknown := set(algorithms) - known:
        raise ConfigurationError(where, f"{sorted(unknown)} can't be verified; write some of {sorted(known)}")
    symmetric = _SYMMETRIC & set(algorithms)
    if symmetric and symmetric != set(algorithms):
        raise ConfigurationError(where, "a public key would be taken for a secret; accept HS… or the others, not both")
    if (key is None) == (jwks_url is None):
        raise ConfigurationError("JwtSubject(key=…)", "write the key, or jwks_url=… where the issuer's keys are")
    if jwks_url is not None and symmetric:
        raise ConfigurationError("JwtSubject(jwks_url=…)", "a secret isn't published; write key=… for HS… algorithms")
    if jwks_url is not None and not jwks_url.startswith(("https://", "http://127.0.0.1:")):
        raise ConfigurationError("JwtSubject(jwks_url=…)", "keys that anybody can exchange are none; write https://")

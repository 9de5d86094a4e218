"""What a token must be to be let in, from the function's environment."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

# Of public keys alone: with a symmetric one beside them, a public key would be taken for its secret.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
# A scheme without TLS, and where nobody stands between.
_ITSELF = ("http", "127.0.0.1")


class ConfigurationError(ValueError):
    """A variable is missing or has no such value; the message names it and says what to write."""


@dataclass(frozen=True)
class Settings:
    """A token is accepted from `issuer`, for one of `audiences`, signed by one of `algorithms`."""

    issuer: str
    audiences: tuple[str, ...]
    algorithms: tuple[str, ...]


def read(environ: Mapping[str, str]) -> Settings:
    """Read TIDEGATE_ISSUER, TIDEGATE_AUDIENCE and TIDEGATE_ALGORITHMS (the latter two with commas).

    Raises:
        ConfigurationError: one of them is missing, or has no such value.
    """
    issuer = environ.get("TIDEGATE_ISSUER", "")
    if not is_safe(issuer) or {"?", "#"} & set(issuer):
        raise ConfigurationError(f"TIDEGATE_ISSUER is {issuer!r}: write its URL, such as https://login.example.com")
    audiences = tuple(environ.get("TIDEGATE_AUDIENCE", "").split(","))
    if not all(audiences):
        raise ConfigurationError(
            f"TIDEGATE_AUDIENCE is {','.join(audiences)!r}: write what its tokens for this API have as aud, such as "
            "shop; several with commas between"
        )
    algorithms = tuple(environ.get("TIDEGATE_ALGORITHMS", "").split(","))
    if unknown := set(algorithms) - set(ALGORITHMS):
        raise ConfigurationError(f"TIDEGATE_ALGORITHMS has {sorted(unknown)}: write some of {','.join(ALGORITHMS)}")
    return Settings(issuer, audiences, algorithms)


def is_safe(url: str) -> bool:
    """Return whether nobody on the way can exchange what is read from a URL: https, or this machine itself."""
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and (parts.scheme == "https" or (parts.scheme, parts.hostname) == _ITSELF)
    except ValueError:
        return False

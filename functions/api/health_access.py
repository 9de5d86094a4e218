"""Access to the details of the API's health: its owner sees them, everybody else the status alone."""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tidegate import ConfigurationError

DETAILS = "TIDEGATE_HEALTH_DETAILS"
TOKEN = "TIDEGATE_HEALTH_TOKEN"  # noqa: S105  # the variable's name
LEAST_CHARACTERS = 16
# The member that the release's machine writes into events with which it invokes a version directly. Only a principal
# that may invoke the function can write it: a gateway makes an event's context, never a client.
DIRECT = ("tidegate", "release")


@dataclass(frozen=True, slots=True)
class HealthAccess:
    """The rule of access to details.

    Attributes:
        everybody: whether everybody sees them.
        token: a bearer token (RFC 6750) that gives access; None: there is none.
    """

    everybody: bool = False
    token: str | None = field(default=None, repr=False)

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> "HealthAccess":
        """Read TIDEGATE_HEALTH_DETAILS (`owner`, which is the default, or `all`) and TIDEGATE_HEALTH_TOKEN.

        Raises:
            ConfigurationError: one of them is wrong.
        """
        shown = environ.get(DETAILS, "").strip() or "owner"
        if shown not in {"owner", "all"}:
            raise ConfigurationError(DETAILS, f"{shown!r} is unknown; write owner, or all where nobody else can ask")
        token = environ.get(TOKEN, "").strip() or None
        if token and not (
            len(token) >= LEAST_CHARACTERS and token.isascii() and token.isprintable() and " " not in token
        ):
            raise ConfigurationError(
                TOKEN, f"it must be {LEAST_CHARACTERS} or more visible ASCII characters, as of `openssl rand -hex 16`"
            )
        return cls(shown == "all", token)

    def allows(self, authorization: str | None, event: Mapping[str, Any]) -> bool:
        """Whether a request is the owner's, by its `Authorization` field or its Lambda event."""
        if self.everybody or _is_direct(event):
            return True
        scheme, _, sent = (authorization or "").partition(" ")
        if self.token is None or scheme.lower() != "bearer":
            return False
        return hmac.compare_digest(sent.strip().encode(), self.token.encode())


def _is_direct(event: Mapping[str, Any]) -> bool:
    context = event.get("requestContext")
    return isinstance(context, Mapping) and context.get(DIRECT[0]) == DIRECT[1]

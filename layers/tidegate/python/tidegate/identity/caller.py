"""The caller of a request, and the principal under which limits and idempotency keys count. No I/O."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from tidegate.aws_lambda.events.caller import by_subject, context_of, part, principal_of, said_by, text
from tidegate.criticality import Criticality, parse
from tidegate.digests import digest as digest  # noqa: PLC0414  modules that name principals import it from here
from tidegate.identity.proxies import Addresses
from tidegate.settings import Settings

Scope = Mapping[str, Any]


class Caller(NamedTuple):
    """The caller of a request.

    Attributes:
        principal: the name under which limits and idempotency keys count: `user:…`, `iam:…`, `cert:…`, `key:…`,
            `ip:…`, or an application's own.
        organisation: the organisation of the principal, for limits `per="organisation"`; None: it has none.
        time_zone: an IANA name, for quotas by the caller's own calendar.
        highest: the highest criticality that the caller's tier may claim for a request; None: the route's.
        expressed: whether the principal stands for the request's credential. An address or an API key doesn't, since
            many people may share it.
        tier: the caller's tier or plan, for `Tiers`; None: none is known.
        exempt: whether no limit is charged and no request shed.
    """

    principal: str
    organisation: str | None = None
    time_zone: str | None = None
    highest: Criticality | None = None
    expressed: bool = True
    tier: str | None = None
    exempt: bool = False

    @property
    def unknown(self) -> bool:
        """Whether only an address is known of the caller."""
        return self.principal.startswith("ip:")


# What an application's own function returns, by identity, for whoever it leaves to the environment's `Identifier`.
NOT_TOLD = Caller("ip:unknown", expressed=False)
# An application's own function may return the principal alone.
Identify = Callable[[Scope], str | Caller]


def caller_of(found: str | Caller) -> Caller:
    """Return the result of an `Identify` as a `Caller`."""
    if not isinstance(found, Caller):
        return Caller(found, expressed=expresses(found))
    return found._replace(expressed=False) if found.unknown else found


def expresses(principal: str) -> bool:
    """Return whether a principal stands for one caller's credential; an address or an API key doesn't."""
    return not principal.startswith(("ip:", "key:"))


def header(scope: Scope, name: bytes) -> str | None:
    """Return the first field of that lower-case name, or None."""
    for key, value in scope["headers"]:
        if key == name:
            return str(value.decode("latin-1"))
    return None


class Identifier:
    """Finds the principal of a request.

    The first of these that is there:

    1. the caller that a gateway has authenticated (see `aws_lambda.events`), or on a server a client certificate that
       it has verified (`cert:…`)
    2. a keyed digest of the `x-api-key` field, if a gateway is trusted to have checked it (`key:…`)
    3. the caller's address (`ip:…`, see `address` and `proxies`)

    An API key's value is never part of a principal. An authorizer may also give `organisation` and `criticality` in its
    context or as claims; the latter is the highest that the caller's tier may claim. `org_id` is read as the
    organisation, too, as in OpenID Connect, and `tier` as the tier. `timeZone` is read from its context alone.

    Args:
        settings: whether to trust the field, the digest's key, and the trusted proxies.
    """

    def __init__(self, settings: Settings) -> None:
        self._trust_header = settings.trust_api_key_header
        self._time_zone_claim = settings.time_zone_claim
        self._secret = (settings.principal_secret or settings.namespace).encode()
        self._addresses = Addresses(settings.trusted_proxies)

    def __call__(self, scope: Scope) -> Caller:
        """Return the caller."""
        context = context_of(scope.get("aws.event"))
        authorizer = part(context, "authorizer")
        said = said_by(authorizer) if authorizer else authorizer
        principal = (
            (principal_of(context, authorizer, said) if context else None)
            or _by_certificate(scope)
            or self._by_header(scope)
            or f"ip:{self._addresses.find(scope, context)}"
        )
        expressed = expresses(principal)
        if not authorizer:
            return Caller(principal, expressed=expressed)
        organisation = text(said, "organisation", "org_id")
        zone = self._time_zone(authorizer, said)
        highest = parse(text(said, "criticality"))
        return Caller(principal, organisation, zone, highest, expressed, text(said, "tier"))

    def address(self, scope: Scope) -> str:
        """Return the name under which the request's address counts."""
        return self._addresses.find(scope, context_of(scope.get("aws.event")))

    def _time_zone(self, authorizer: Mapping[str, Any], said: Mapping[str, Any]) -> str | None:
        """Return the caller's time zone, from the authorizer's own code or from the claim that the operator trusts.

        OpenID's `zoneinfo` isn't trusted by default. Users write it themselves, and could choose when their day begins.
        """
        zone = text(authorizer, "timeZone") or text(part(authorizer, "lambda"), "timeZone")
        return zone or (text(said, self._time_zone_claim) if self._time_zone_claim else None)

    def _by_header(self, scope: Scope) -> str | None:
        key = header(scope, b"x-api-key") if self._trust_header else None
        if not key:
            return None
        return "key:" + hmac.new(self._secret, key.encode(), hashlib.sha256).hexdigest()[:20]


def _by_certificate(scope: Scope) -> str | None:
    """Return the principal of a certificate in ASGI's TLS extension, unless the server found an error in it."""
    extensions = scope.get("extensions")
    if not extensions:
        return None
    tls = part(extensions, "tls")
    return None if tls.get("client_cert_error") else by_subject(text(tls, "client_cert_name"))

"""Requests that no limit is charged for and that are never shed: health checks, preflights, internal callers."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any

from tidegate.address import parsed
from tidegate.errors import ConfigurationError
from tidegate.identity.caller import Caller, Identifier


@dataclass(frozen=True, slots=True, kw_only=True)
class Exemption:
    """One reason for which a request is exempt; everything that it names must hold.

    An exempt request is charged to no limit and not shed; claims, caches and the application's own checks stay in
    force. Its log line has `exempt`.

    Args:
        callers: principals, such as `user:monitor`.
        networks: networks of the caller's address, such as `10.0.0.0/8`; the address is the one that limits count by.
        paths: templates of routes; each stands for the route and all below it, and for no request without a route.
        methods: HTTP methods, such as `OPTIONS`.

    Raises:
        ConfigurationError: it names nothing, or a part can't be read.
    """

    callers: Collection[str] = ()
    networks: Collection[str] = ()
    paths: Collection[str] = ()
    methods: Collection[str] = ()
    _networks: tuple[IPv4Network | IPv6Network, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        for name in ("callers", "networks", "paths", "methods"):
            given = getattr(self, name)
            if isinstance(given, str):  # its letters would be taken for names
                raise ConfigurationError(f"Exemption({name}=…)", f"it is a list; write [{given!r}]")
            object.__setattr__(self, name, frozenset(given))
        if not (self.callers or self.networks or self.paths or self.methods):
            raise ConfigurationError("Exemption()", "it would exempt every request; write paths=['/health'], say")
        object.__setattr__(self, "methods", frozenset(method.upper() for method in self.methods))
        for path in self.paths:
            check_prefix("Exemption(paths=…)", path)
        try:
            object.__setattr__(self, "_networks", tuple(ip_network(each) for each in self.networks))
        except ValueError as error:
            raise ConfigurationError("Exemption(networks=…)", f"{error}; write '10.0.0.0/8', say") from error
        if any(network.prefixlen == 0 for network in self._networks):
            raise ConfigurationError("Exemption(networks=…)", "a network of everybody exempts everybody; write yours")

    def holds(self, scope: Mapping[str, Any], template: str, caller: Caller, identifier: Identifier) -> bool:
        """Whether a request is exempt.

        Args:
            scope: its ASGI scope.
            template: its route's.
            caller: who asks.
            identifier: finds its address.
        """
        return (
            (not self.callers or caller.principal in self.callers)
            and (not self.methods or scope.get("method") in self.methods)
            and (not self.paths or any(covers(path, template) for path in self.paths))
            and (not self._networks or self._within(identifier.address(scope)))
        )

    def _within(self, address: str) -> bool:
        found = parsed(address.partition("/")[0])  # an address of IPv6 counts as its network
        return found is not None and any(found in network for network in self._networks)


def exempted(
    exemptions: tuple[Exemption, ...], scope: Mapping[str, Any], template: str, caller: Caller, identifier: Identifier
) -> Caller:
    """Return the caller, exempt if one of the exemptions holds for the request."""
    if caller.exempt or not any(each.holds(scope, template, caller, identifier) for each in exemptions):
        return caller
    return caller._replace(exempt=True)


def covers(prefix: str, template: str) -> bool:
    """Whether a route is at or below a path."""
    return template == prefix or template.startswith(prefix + "/")


def check_prefix(name: str, path: object) -> None:
    """Refuse what is no path to be at or below of.

    Raises:
        ConfigurationError: it is no text, doesn't begin with a slash, or ends with one.
    """
    if not isinstance(path, str) or not path.startswith("/") or path.endswith("/"):
        raise ConfigurationError(name, f"{path!r} is no path; write '/admin', without a slash at its end")

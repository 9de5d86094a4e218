"""The caller's address behind proxies: read from the right, as far as trusted proxies wrote the field.

A field like X-Forwarded-For grows to the right: each proxy appends the address from which it was asked. A client can
send any text, which then stands on the left. So the address is searched from the connection backwards. Either so many
proxies are trusted, as Werkzeug's ProxyFix counts them, or proxies with certain addresses, as in nginx's real_ip with
`real_ip_recursive` and uvicorn's `--forwarded-allow-ips`. A gateway's event names the gateway's caller, so proxies need
trust only if they stand in front of the gateway, such as CloudFront. Where CloudFront signs what it sends, it is known.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any, NamedTuple

from tidegate.address import UNKNOWN, counted_as, parsed
from tidegate.aws_lambda.events.caller import part, signed_by_cloudfront

FORWARDED_FOR, FORWARDED = b"x-forwarded-for", b"forwarded"
_MOST_HOPS = 16
# So many bytes of a field are read, from its end: the trusted part is there, and short.
_READ_FROM_THE_RIGHT = 2048
# A pair of RFC 7239, section 4. A quoted value may contain the separators of elements and pairs.
# Compiled at first use, since each pattern costs time at a cold start.
_PAIR = r'\s*([A-Za-z0-9!#$%&\'*+.^_`|~-]+)=("(?:[^"\\]|\\.)*"|[^\s,;"]*)\s*([,;]|$)'

Network = IPv4Network | IPv6Network


class TrustedProxies(NamedTuple):
    """The proxies that are trusted to write the caller's address.

    Attributes:
        hops: how many proxies stand before the application; 0: those in `networks` are trusted.
        networks: the proxies' networks.
        field: the field that they write: `x-forwarded-for` or `forwarded`.
    """

    hops: int = 0
    networks: tuple[Network, ...] = ()
    field: bytes = FORWARDED_FOR


def trusted_proxies(text: str) -> TrustedProxies:
    """Read TIDEGATE_TRUSTED_PROXIES.

    Raises:
        ValueError: it is neither a number nor addresses.
    """
    named, _, rest = text.rpartition("=")
    if named.strip().lower() not in {"", "forwarded", "x-forwarded-for"}:
        raise ValueError(f"{text!r} names a field that isn't read; write forwarded=1, or 1 for X-Forwarded-For")
    field = FORWARDED if named.strip().lower() == "forwarded" else FORWARDED_FOR
    if rest.strip().isascii() and rest.strip().isdigit():
        if not 1 <= int(rest) <= _MOST_HOPS:
            raise ValueError(f"{text!r} is out of range; write how many proxies stand before it, 1 to {_MOST_HOPS}")
        return TrustedProxies(int(rest), (), field)
    return TrustedProxies(0, tuple(_network(each.strip()) for each in rest.split(",")), field)


def check_proxies(value: Any) -> None:
    """Check a value that was made in code.

    Raises:
        ValueError: `trusted_proxies` couldn't have made it.
    """
    well = (
        isinstance(value, TrustedProxies)
        and type(value.hops) is int
        and value.field in {FORWARDED_FOR, FORWARDED}
        and all(getattr(each, "prefixlen", 0) for each in value.networks)
        and (1 <= value.hops <= _MOST_HOPS if not value.networks else value.hops == 0)
    )
    if not well:
        raise ValueError(
            f"{value!r} trusts nobody in particular; write TrustedProxies(hops=1), or the proxies' networks"
        )


def _network(text: str) -> Network:
    try:
        network = ip_network(text)
    except ValueError:
        raise ValueError(
            f"{text!r} is no proxy's address; write how many proxies stand before it, such as 1, or their networks, "
            "such as 10.0.0.0/8,127.0.0.1"
        ) from None
    if network.prefixlen == 0:
        raise ValueError(f"{text!r} is everybody; write the networks of your proxies alone")
    return network


class Addresses:
    """Finds callers' addresses.

    Args:
        trusted: the trusted proxies; None: only the gateway's or the connection's own address is used.
    """

    def __init__(self, trusted: TrustedProxies | None = None) -> None:
        self._trusted = trusted
        self._warned = False

    def find(self, scope: Mapping[str, Any], context: Mapping[str, Any]) -> str:
        """Return the name under which a request's address counts.

        Args:
            scope: the ASGI scope.
            context: its event's `requestContext`; empty on a server.
        """
        peer = _peer(scope, context)
        if self._trusted is not None:
            return counted_as(_behind(self._trusted, scope, peer, at_balancer="elb" in context))
        if "authorizer" in context and signed_by_cloudfront(context):  # nobody else can have written its last address
            return counted_as(next(_from_the_right(scope, FORWARDED_FOR), peer))
        if not context and not self._warned and peer is not None and _is_private(peer):
            self._warn_if_proxied(scope)
        return counted_as(peer)

    def _warn_if_proxied(self, scope: Mapping[str, Any]) -> None:
        if not any(name in {FORWARDED_FOR, FORWARDED} for name, _ in scope["headers"]):
            return
        from tidegate.telemetry import logger  # noqa: PLC0415  once, and only on a server

        self._warned = True
        logger().warning(
            "callers behind a proxy count as one: requests come from a private address and name another one; write "
            "TIDEGATE_TRUSTED_PROXIES=1 if one proxy stands before this server and clients can't go round it"
        )


def _peer(scope: Mapping[str, Any], context: Mapping[str, Any]) -> str | None:
    """Return the address from which the gateway, the balancer or the server was asked."""
    if "elb" in context:  # the balancer wrote the last one itself
        return next(_from_the_right(scope, FORWARDED_FOR), None)
    source = part(context, "identity").get("sourceIp") or part(context, "http").get("sourceIp")
    client = scope.get("client")
    found = source or (client[0] if client else None)
    return found if isinstance(found, str) else None


def _behind(trusted: TrustedProxies, scope: Mapping[str, Any], peer: str | None, *, at_balancer: bool) -> str | None:
    chain = _from_the_right(scope, trusted.field)
    if at_balancer and trusted.field == FORWARDED_FOR:
        next(chain, None)  # the peer itself
    elif "aws.event" in scope and trusted.field == FORWARDED_FOR:
        chain = _without_peer(chain, peer)  # API Gateway adds its caller, too
    if trusted.hops:
        return _hops_back(peer, chain, trusted.hops)
    return _first_untrusted(peer, chain, trusted.networks)


def _hops_back(peer: str | None, chain: Iterator[str], hops: int) -> str | None:
    """Return the address that asked the first of so many proxies; the peer if fewer wrote, since one was bypassed."""
    found: str | None = None
    for _ in range(hops):
        found = next(chain, None)
        if found is None:
            return peer
    return found


def _first_untrusted(peer: str | None, chain: Iterator[str], networks: Sequence[Network]) -> str | None:
    found = peer
    while found is not None and _is_within(found, networks):
        before = next(chain, None)
        if before is None:
            return found
        found = before
    return found


def _without_peer(chain: Iterator[str], peer: str | None) -> Iterator[str]:
    last = next(chain, None)
    if last is not None and counted_as(last) != counted_as(peer):
        yield last
    yield from chain


def _from_the_right(scope: Mapping[str, Any], field: bytes) -> Iterator[str]:
    """Yield the addresses of a field, the last one first; several lines are one list (RFC 9110, section 5.3)."""
    for name, value in reversed(scope["headers"]):
        if name != field:
            continue
        line = value[-_READ_FROM_THE_RIGHT:].decode("latin-1")
        whole = len(value) <= _READ_FROM_THE_RIGHT
        addresses = _elements(line) if field == FORWARDED else [each.strip() for each in line.split(",")]
        yield from reversed(addresses if whole else addresses[1:])


def _elements(line: str) -> list[str]:
    """Return the `for` of each element of Forwarded. It is unknown in an element without one, and in all elements if
    one can't be read.
    """
    elements: list[str] = []
    at, address, pattern = 0, UNKNOWN, re.compile(_PAIR)
    while at < len(line):
        pair = pattern.match(line, at)
        if pair is None:
            return [UNKNOWN] * _MOST_HOPS  # the elements' ends aren't known, and so not which proxy wrote which
        if pair[1].lower() == "for":
            address = pair[2].strip('"')
        at = pair.end()
        if pair[3] != ";":
            elements.append(address)
            address = UNKNOWN
    return elements


@lru_cache(maxsize=1024)
def _is_private(text: str) -> bool:
    address = parsed(text)
    return address is not None and (address.is_private or address.is_loopback or address.is_link_local)


def _is_within(text: str, networks: Sequence[Network]) -> bool:
    address = parsed(text) if len(text) <= 64 else None
    return address is not None and any(address in network for network in networks)

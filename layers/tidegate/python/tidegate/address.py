"""Addresses as principals: each in one spelling, and an IPv6 customer as a whole.

A customer with IPv6 has at least a /64, which is 2^64 addresses (RFC 6177), so a limit for one of them would limit
nobody. An IPv6 address therefore counts as its /64. An IPv4-mapped address (RFC 4291, section 2.5.5.2) counts as the
IPv4 address.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

UNKNOWN = "unknown"
_LONGEST = 64
_NETWORK_BITS = 64

Address = IPv4Address | IPv6Address


def host_in(text: str) -> str:
    """Return an address's text without brackets, port and white space."""
    text = text.strip()
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text


def parsed(text: str) -> Address | None:
    """Return a text's address, with a mapped one as IPv4; None if it is no address."""
    try:
        address = ip_address(host_in(text).partition("%")[0])
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def counted_as(text: object) -> str:
    """Return the name under which an address counts, the same for all its spellings; `unknown` if it is none."""
    if not isinstance(text, str) or len(text) > _LONGEST:
        return UNKNOWN
    return _counted_as(text)


@lru_cache(maxsize=4096)
def _counted_as(text: str) -> str:
    address = parsed(text)
    if address is None:
        return UNKNOWN
    if isinstance(address, IPv4Address):
        return str(address)
    return str(IPv6Network((address, _NETWORK_BITS), strict=False))

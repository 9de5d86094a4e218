"""The host and port of a request, from its Host field (RFC 9110, section 7.2; RFC 3986, section 3.2.2)."""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import AddressValueError, IPv6Address

from tidegate.aws_lambda.events.kind import MalformedEventError

_LONGEST = 261  # a name of 255 characters and a port
_AUTHORITY = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._~!$&'()*+,;=%-]+))(?::([0-9]{0,5}))?", re.ASCII)
_SCHEMES = frozenset({"http", "https"})


def server_of(host: str, port: str | None, scheme: str) -> tuple[str, int]:
    """Return the host and the port to which a request was sent.

    Args:
        host: the Host field.
        port: X-Forwarded-Port, if there is one; ignored if it isn't a port.
        scheme: gives the port if neither field has one.

    Raises:
        MalformedEventError: the field isn't a host.
    """
    if len(host) > _LONGEST:
        raise MalformedEventError("Its Host field is too long.")
    name, number = _parsed(host)
    if number is None and port is not None and port.isascii() and port.isdigit() and len(port) <= 5:
        number = int(port)
    if number is None or number > 65535:
        number = 443 if scheme == "https" else 80
    return name, number


def scheme_of(forwarded: str | None) -> str:
    """Return X-Forwarded-Proto's scheme; if it has none, HTTPS, which all senders use."""
    if forwarded is None or forwarded == "https":
        return "https"
    scheme = forwarded.rpartition(",")[2].strip().lower()
    return scheme if scheme in _SCHEMES else "https"


@lru_cache(maxsize=256)
def _parsed(host: str) -> tuple[str, int | None]:
    found = _AUTHORITY.fullmatch(host)
    if found is None:
        raise MalformedEventError("Its Host field is no host.")
    address, name, port = found.groups()
    if address is not None:
        try:
            IPv6Address(address)
        except AddressValueError:
            raise MalformedEventError("Its Host field is no host.") from None
    if port and int(port) > 65535:
        raise MalformedEventError("Its Host field has no such port.")
    return address or name, int(port) if port else None

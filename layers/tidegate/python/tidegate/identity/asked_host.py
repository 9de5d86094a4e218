"""The host that a request is for, as far as an application may read from it for whom it works.

`a.example.com` and `b.example.com` may be two tenants of one application. An address, or a name of one part, is a
server's: clients that choose among servers by themselves send another one with each attempt.
"""

from __future__ import annotations

from collections.abc import Iterable

from tidegate.address import parsed

# Host, and the fields by which proxies and gateways pass on the one that they were asked for.
_FIELDS = frozenset({b"host", b"x-forwarded-host", b"x-host", b"x-http-host-override", b"x-original-host"})


def asked_host(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """Return the names of hosts in a request's fields, in lower case and without ports; empty if there is none."""
    named = [value.decode("latin-1") for name, value in headers if name in _FIELDS]
    return ",".join(sorted({host for line in named for each in line.split(",") if (host := _name_of(each))}))


def _name_of(text: str) -> str:
    host = text.strip().lower()
    host = host.rpartition(":")[0] if host.count(":") == 1 else host
    return "" if "." not in host or parsed(host) is not None else host.rstrip(".")

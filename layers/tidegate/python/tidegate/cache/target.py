"""A request's target URI as part of its key: all that an application may build a link from. Source: RFC 9111, 2.

An application reads its own address from the scheme, `Host` (or the server's address, where there is none), the root
path, and the proxies' `Forwarded` and `X-Forwarded-…`. A client can forge each of them, and a copy that was made for
one address mustn't be given at another. So they are part of the key. They are no reason to bypass the cache, since
every request behind a proxy has some. `X-Forwarded-For` isn't part of it, as it names the client, not the target.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, unquote_to_bytes

Fields = list[tuple[bytes, bytes]]

_HOST, _FORWARDED_FIELD, _FORWARDED = b"host", b"forwarded", b"x-forwarded-"
_CLIENTS = frozenset({b"x-forwarded-for", b"x-forwarded-client-port"})
# Further fields by which frameworks and proxies override a part of the target, or the method.
_OTHER = frozenset(
    {
        b"cloudfront-forwarded-proto",
        b"front-end-https",
        b"x-host",
        b"x-http-host-override",
        b"x-http-method",
        b"x-http-method-override",
        b"x-method-override",
        b"x-original-host",
        b"x-original-url",
        b"x-rewrite-url",
        b"x-script-name",
        b"x-url-scheme",
    }
)
_DEFAULT_PORTS = {"http": ":80", "https": ":443", "ws": ":80", "wss": ":443"}
_ENCODED = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_SAFE_IN_PATHS = "/!$&'()*+,;=:@~"


def target(scope: Mapping[str, Any], wanted: tuple[str, ...] | None) -> list[str]:
    """Return the parts of a request's target, its query included.

    Args:
        scope: the ASGI scope.
        wanted: the query parameters that the response depends on; all if None.
    """
    scheme = str(scope.get("scheme", "http"))
    host, forwarding = _authority_and_forwarding(scope["headers"])
    if host is None:
        server = scope.get("server") or ("", "")
        authority = f"{server[0]}:{server[1]}"
    else:
        authority = normal_host(host, scheme)
    parts = [scheme, authority, str(scope.get("root_path", "")), str(scope["path"]), _raw_path(scope)]
    query = _query(wanted, scope.get("query_string", b""))
    return [*parts, *forwarding, f"?{len(query)}", *query]


def in_target(name: bytes) -> bool:
    """Whether an application may read its target from a field; its name is in lower case."""
    return name == _HOST or name in _OTHER or (name.startswith(_FORWARDED) and name not in _CLIENTS)


def normal_host(host: str, scheme: str) -> str:
    """Return a host in lower case, without the default port of its scheme."""
    return host.lower().removesuffix(_DEFAULT_PORTS.get(scheme, ""))


def _authority_and_forwarding(headers: Fields) -> tuple[str | None, list[str]]:
    host: str | None = None
    forwarding: list[str] = []
    for name, value in headers:
        if name == _HOST:
            text = value.decode("latin-1")
            host = text if host is None else f"{host}, {text}"
        elif name in _OTHER or (name.startswith(_FORWARDED) and name not in _CLIENTS):
            forwarding += (name.decode("latin-1"), value.decode("latin-1"))
        elif name == _FORWARDED_FIELD:
            forwarding += _forwarded(value.decode("latin-1"))
    return host, forwarding


def _forwarded(text: str) -> Iterator[str]:
    """The parts of `Forwarded` (RFC 7239) that name the target; `for` and `by` name the client and the proxies."""
    for pair in text.replace(",", ";").split(";"):
        name, _, _ = pair.partition("=")
        if name.strip().lower() in {"host", "proto"}:
            yield pair.strip()


def _raw_path(scope: Mapping[str, Any]) -> str:
    """The path as it was sent; decoding would merge `/a%2Fb` and `/a/b`, and all bytes that aren't UTF-8."""
    raw = scope.get("raw_path")
    if raw:
        return normal(raw.partition(b"?")[0].decode("latin-1"))
    event = scope.get("aws.event")
    if not isinstance(event, Mapping):
        return quote(str(scope["path"]), safe=_SAFE_IN_PATHS, errors="surrogatepass")
    return normal(str(event.get("rawPath") or event.get("path") or scope["path"]))


def _query(wanted: tuple[str, ...] | None, query: bytes) -> list[str]:
    """The parameters as they were sent, sorted by name; repeated ones stay in order, which may matter."""
    if not query:
        return []
    pairs = [pair.partition("=") for pair in normal(query.decode("latin-1")).split("&") if pair]
    named = [(_decoded(name), value) for name, value in ((name, equals + value) for name, equals, value in pairs)]
    chosen = named if wanted is None else [pair for pair in named if pair[0] in wanted]
    return [part for pair in sorted(chosen, key=lambda pair: pair[0]) for part in pair]


def _decoded(name: str) -> str:
    """A parameter's name as frameworks read it, except that different bytes which aren't UTF-8 stay different."""
    if "%" not in name and "+" not in name:
        return name.encode("latin-1").decode("utf-8", "surrogateescape")
    return unquote_to_bytes(name.replace("+", " ").encode("latin-1")).decode("utf-8", "surrogateescape")


def normal(text: str) -> str:
    """Return a part of a URI with unreserved characters decoded, and other escapes in upper case (RFC 3986, 6.2.2)."""
    return _ENCODED.sub(_one, text) if "%" in text else text


def _one(found: re.Match[str]) -> str:
    character = chr(int(found[1], 16))
    return character if character in _UNRESERVED else f"%{found[1].upper()}"

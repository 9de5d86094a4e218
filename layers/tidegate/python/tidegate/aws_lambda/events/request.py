"""An event as an ASGI request: its scope and its body.

An event that is no possible request raises `MalformedEventError`, whose text is for the client. No event's content
raises any other error.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from typing import Any, NamedTuple
from urllib.parse import quote, unquote, urlencode

from tidegate.address import host_in
from tidegate.aws_lambda.events.base_path import Has, joined, root_and_below, split
from tidegate.aws_lambda.events.fields import Fields, fields_of, firsts
from tidegate.aws_lambda.events.host import scheme_of, server_of
from tidegate.aws_lambda.events.kind import EventKind, MalformedEventError, kind_of

_ASGI = {"version": "3.0", "spec_version": "2.4"}
_METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS")
_LONGEST_METHOD = 32
_ORIGIN_FIELDS = frozenset({b"host", b"x-forwarded-port", b"x-forwarded-proto"})
# Characters that stay as they are in a balancer's query, which it passes on undecoded.
_QUERY_SAFE = "%+/:;=?@!$'()*,"


class Request(NamedTuple):
    """A request for an ASGI application.

    Attributes:
        kind: its event's kind, which the response must fit.
        scope: the ASGI scope.
        body: the whole body.
    """

    kind: EventKind
    scope: dict[str, Any]
    body: bytes


class Reader:
    """Reads the events of one application.

    Args:
        has: returns whether the application has a route for a path; called only if the event leaves the root open.
        own_root: the application's own root path; empty if it has none.
        base_path: the handler's base path, with which the events' paths begin; empty if it has none.
    """

    def __init__(self, has: Has, own_root: str = "", base_path: str = "") -> None:
        self._has = has
        self._own_root = own_root.rstrip("/")
        self._base_path = f"/{base_path.strip('/')}" if base_path.strip("/") else ""

    def read(self, event: Any, context: Any) -> Request:
        """Return an event's request.

        Raises:
            UnsupportedEventError: the event isn't an HTTP request.
            MalformedEventError: it is one, but not a possible one.
        """
        kind = kind_of(event)
        try:
            return Request(kind, self._scope(event, kind, context), _body(event))
        except UnicodeEncodeError:  # half a surrogate pair, which is valid in JSON but not in UTF-8
            raise MalformedEventError("It has text that is no Unicode.") from None

    def _scope(self, event: dict[str, Any], kind: EventKind, context: Any) -> dict[str, Any]:
        fields = fields_of(event, kind)
        origin = firsts(fields, _ORIGIN_FIELDS)
        event_path = _event_path(event, kind)
        root, path = self._root_and_path(event, kind, unquote(event_path))
        scheme = scheme_of(origin.get(b"x-forwarded-proto"))
        client = _client(event, kind, fields)
        return {
            "type": "http",
            "asgi": _ASGI,
            "http_version": "1.1",
            "method": _method(event, kind),
            "scheme": scheme,
            "path": path,
            "raw_path": _raw_path(event_path, path),
            "root_path": root,
            "query_string": _query(event, kind),
            "headers": fields,
            "client": None if client is None else (client, 0),
            "server": _server(event, origin, scheme),
            "aws.event": event,
            "aws.context": context,
        }

    def _root_and_path(self, event: dict[str, Any], kind: EventKind, path: str) -> tuple[str, str]:
        if self._base_path:
            root, below = split(path, self._base_path)
        else:
            root, below = root_and_below(event, kind, path, self._has)
        root = self._own_root or root
        return root, joined(path, root, below)


def _method(event: dict[str, Any], kind: EventKind) -> str:
    method = event["requestContext"]["http"].get("method") if kind == "http" else event.get("httpMethod")
    if method in _METHODS:
        return str(method)
    if not isinstance(method, str) or not 0 < len(method) <= _LONGEST_METHOD or not method.isascii():
        raise MalformedEventError("Its method is no text.")
    if not method.isalpha() and not method.replace("-", "").replace("_", "").isalnum():
        raise MalformedEventError("Its method is no token.")
    return method


def _event_path(event: dict[str, Any], kind: EventKind) -> str:
    path = event.get("rawPath") if kind == "http" else event.get("path")
    if path is None and kind == "http":
        path = event["requestContext"]["http"].get("path")
    if path is None or path == "":
        return "/"
    if not isinstance(path, str):
        raise MalformedEventError("Its path is no text.")
    return path if path.startswith("/") else f"/{path}"


def _raw_path(event_path: str, path: str) -> bytes:
    """Return the path's bytes as they came, after a beginning that the event has elsewhere."""
    decoded = unquote(event_path)
    if path == decoded:
        return event_path.encode()
    before = path[: len(path) - len(decoded)] if path.endswith(decoded) else None
    return quote(path).encode() if before is None else quote(before).encode() + event_path.encode()


def _query(event: dict[str, Any], kind: EventKind) -> bytes:
    if kind == "http":
        raw = event.get("rawQueryString")
        if isinstance(raw, str):
            return raw.encode()
        if raw is not None:
            raise MalformedEventError("Its rawQueryString is no text.")
    pairs = _pairs(event)
    if not pairs:
        return b""
    if kind == "alb":  # a balancer decodes nothing
        return "&".join([f"{quote(name, _QUERY_SAFE)}={quote(value, _QUERY_SAFE)}" for name, value in pairs]).encode()
    return urlencode(pairs).encode()


def _pairs(event: dict[str, Any]) -> list[tuple[str, str]]:
    many = event.get("multiValueQueryStringParameters") or {}
    one = event.get("queryStringParameters") or {}
    if not many and not one:
        return []
    if not isinstance(many, dict) or not isinstance(one, dict):
        raise MalformedEventError("Its query is no object.")
    if many and not all(isinstance(values, list | tuple) for values in many.values() if values is not None):
        raise MalformedEventError("Its query holds what is no list.")
    given = ((name, value) for name, values in many.items() for value in values or ()) if many else one.items()
    pairs = [(name, "" if value is None else value) for name, value in given]
    if not all(isinstance(part, str) for pair in pairs for part in pair):
        raise MalformedEventError("Its query holds what is no text.")
    return pairs


def _body(event: dict[str, Any]) -> bytes:
    body, encoded = event.get("body"), event.get("isBase64Encoded")
    if not isinstance(encoded, bool | None):
        raise MalformedEventError("Its isBase64Encoded is neither true nor false.")
    if body is None:
        return b""
    if isinstance(body, bytes):
        body = body.decode("latin-1") if encoded else body
    if isinstance(body, str):
        if not encoded:
            return body.encode()
        try:
            return b64decode(body, validate=True)
        except (binascii.Error, ValueError):
            raise MalformedEventError("Its body is no Base64, though it says so.") from None
    if isinstance(body, bytes):
        return body
    raise MalformedEventError("Its body is no text.")


def _server(event: dict[str, Any], origin: dict[bytes, str], scheme: str) -> tuple[str, int]:
    host = origin.get(b"host")
    if not host:
        domain = (event.get("requestContext") or {}).get("domainName")
        host = domain if isinstance(domain, str) and domain else "lambda"
    return server_of(host.strip(), origin.get(b"x-forwarded-port"), scheme)


def _client(event: dict[str, Any], kind: EventKind, fields: Fields) -> str | None:
    if kind == "alb":
        forwarded = [value for name, value in fields if name == b"x-forwarded-for"]
        return host_in(forwarded[-1].decode("latin-1").rpartition(",")[2]) if forwarded else None
    context = event.get("requestContext") or {}
    source = (context.get("http") if kind == "http" else context.get("identity")) or {}
    address = source.get("sourceIp") if isinstance(source, dict) else None
    return address if isinstance(address, str) and address else None

"""A request as it waits in the queue: all that its run needs, and no credentials.

It runs under the principal that the guard has found; the proof of it is never stored (see `overflow.kept_fields`). The
stored form is a JSON head on the first line, then the body's bytes. It isn't trusted when it is read: every part is
validated, and malformed bytes are a `ValueError`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from starlette.types import Scope as RunScope

from tidegate.criticality import parse
from tidegate.identity.caller import Caller, Scope
from tidegate.overflow.kept_fields import Kept
from tidegate.web.problems import Headers

# The size of an SQS message, so that a whole request could be sent as one.
LARGEST_BODY_BYTES = 256 * 1024

STANDARD_ONLY = Kept()
_VERSION = 1


class OtherVersionError(ValueError):
    """Another release has stored a request, in a form that this release can't read.

    Args:
        version: the version of its form.
    """

    def __init__(self, version: object) -> None:
        super().__init__(f"another release has kept it, in version {version!r}; this one reads version {_VERSION}")


@dataclass(frozen=True, slots=True)
class QueuedRequest:
    """A request to be run later.

    Attributes:
        caller: its caller.
        key: the idempotency key of its run's claim; None: one of the worker's, which no client can send.
        method, path, root_path, scheme: as in its ASGI scope.
        query_string, headers: as in its ASGI scope, without credentials.
        body: the whole body.
    """

    caller: Caller
    key: str | None
    method: str
    path: str
    root_path: str
    query_string: bytes
    scheme: str
    headers: Headers
    body: bytes

    @classmethod
    def of(
        cls, scope: Scope, caller: Caller, key: str | None, body: bytes, kept: Kept = STANDARD_ONLY
    ) -> QueuedRequest:
        """Make a request from its scope, without what isn't kept."""
        return cls(
            caller,
            key,
            scope["method"],
            scope["path"],
            scope.get("root_path", ""),
            kept.query_string(bytes(scope.get("query_string", b""))),
            scope.get("scheme", "http"),
            kept.headers(scope["headers"]),
            body,
        )

    def scope(self, **more: Any) -> RunScope:
        """Return the ASGI scope of its run, with further members."""
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": self.method,
            "path": self.path,
            "raw_path": self.path.encode(),
            "root_path": self.root_path,
            "query_string": self.query_string,
            "scheme": self.scheme,
            "headers": list(self.headers),
            "client": None,
            "server": None,
            **more,
        }

    def encode(self) -> bytes:
        """Return the stored form."""
        head = {
            "v": _VERSION,
            # The four members that earlier releases read; later ones are members of the head.
            "caller": list(self.caller[:4]),
            "expressed": self.caller.expressed,
            "tier": self.caller.tier,
            "exempt": self.caller.exempt,
            "key": self.key,
            "method": self.method,
            "path": self.path,
            "root_path": self.root_path,
            "query_string": self.query_string.decode("latin-1"),
            "scheme": self.scheme,
            "headers": [[n.decode("latin-1"), v.decode("latin-1")] for n, v in self.headers],
        }
        return json.dumps(head, separators=(",", ":")).encode() + b"\n" + self.body

    @classmethod
    def decode(cls, stored: bytes) -> QueuedRequest:
        """Read what `encode` wrote.

        Raises:
            OtherVersionError: another release wrote the bytes.
            ValueError: the bytes are malformed.
        """
        first, _, body = stored.partition(b"\n")
        try:
            head = json.loads(first)
            _check_version(head["v"])
            return cls(
                _caller(head["caller"], head.get("expressed", False), head.get("tier"))._replace(
                    exempt=head.get("exempt") is True
                ),
                _text_or_none(head["key"]),
                _matching(_METHOD, head["method"]),
                _text(head["path"]),
                _text(head["root_path"]),
                _text(head["query_string"]).encode("latin-1"),
                _matching(_SCHEME, head["scheme"]),
                tuple(_field(name, value) for name, value in head["headers"]),
                body,
            )
        except OtherVersionError:
            raise
        except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
            raise ValueError("these bytes are no stored request") from error


# RFC 9110, sections 5.1, 5.5 and 9.1; RFC 3986, section 3.1.
_METHOD = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")
_VALUE = re.compile(r"[^\x00\r\n]*")
_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*")


def _check_version(version: object) -> None:
    if not isinstance(version, int) or isinstance(version, bool):
        raise TypeError("a number is expected")
    if version != _VERSION:
        raise OtherVersionError(version)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("a text is expected")
    value.encode()  # raises for half a surrogate pair: JSON permits it, but it can't be encoded later
    return value


def _matching(pattern: re.Pattern[str], value: object) -> str:
    text = _text(value)
    if not pattern.fullmatch(text):
        raise ValueError("a text of another form is expected")
    return text


def _field(name: object, value: object) -> tuple[bytes, bytes]:
    return _matching(_NAME, name).encode("latin-1"), _matching(_VALUE, value).encode("latin-1")


def _caller(parts: list[object], expressed: object, tier: object) -> Caller:
    principal, organisation, zone, claimed = parts
    highest = None if claimed is None else parse(_text(claimed))
    names = _text(principal), _text_or_none(organisation), _text_or_none(zone)
    return Caller(*names, highest, expressed is True, _text_or_none(tier))


def _text_or_none(value: object) -> str | None:
    return None if value is None else _text(value)

"""A request as it waits in the queue: all that its run needs, and no credentials.

It is kept as a JSON head on the first line, then the body's bytes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from starlette.types import Scope as RunScope

from tidegate import deadline
from tidegate.http import Headers
from tidegate.identity import Caller, Scope

# A whole request must fit into one message of SQS's, so that it could be sent as one.
LARGEST_BODY_BYTES = 256 * 1024

# The run is under the principal that the guard has found; what proved it is not kept at rest. Nobody waits for it as
# long as the field says. The others belong to the connection (RFC 9110, section 7.6.1).
_NOT_KEPT = frozenset(
    {
        b"authorization",
        b"connection",
        b"cookie",
        b"keep-alive",
        b"proxy-authorization",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
        deadline.FIELD,
        b"x-amz-security-token",
        b"x-api-key",
    }
)


@dataclass(frozen=True, slots=True)
class QueuedRequest:
    """A request to be run later.

    Attributes:
        caller: who asked.
        key: the idempotency key that its run is claimed under; None: one of its own, which no client can send.
        method, path, root_path, query_string, scheme, headers: as in its ASGI scope.
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
    def of(cls, scope: Scope, caller: Caller, key: str | None, body: bytes) -> QueuedRequest:
        """Take a request from its scope."""
        return cls(
            caller,
            key,
            scope["method"],
            scope["path"],
            scope.get("root_path", ""),
            bytes(scope.get("query_string", b"")),
            scope.get("scheme", "http"),
            tuple((bytes(n), bytes(v)) for n, v in scope["headers"] if n not in _NOT_KEPT),
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
            "v": 1,
            "caller": list(self.caller),
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
            ValueError: the bytes are something else.
        """
        first, _, body = stored.partition(b"\n")
        try:
            head = json.loads(first)
            return cls(
                Caller(*head["caller"]),
                head["key"],
                head["method"],
                head["path"],
                head["root_path"],
                head["query_string"].encode("latin-1"),
                head["scheme"],
                tuple((n.encode("latin-1"), v.encode("latin-1")) for n, v in head["headers"]),
                body,
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError("these bytes are no stored request") from error

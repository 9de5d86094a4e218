"""A response as it is kept for replays: a JSON head on the first line, then the body's bytes. Never pickle."""

from __future__ import annotations

import json
import zlib
from typing import NamedTuple

_COMPRESS_ABOVE_BYTES = 1024


class Owed(NamedTuple):
    """Marks an answer that only Redis knows, because the claim store couldn't be told.

    Attributes:
        attempt_id: the attempt whose answer it is.
        until_ms: until when no other attempt can have given another one; epoch milliseconds.
    """

    attempt_id: str
    until_ms: int


class StoredResponse(NamedTuple):
    """A response, to be sent again byte for byte.

    Attributes:
        status: the HTTP status.
        headers: (name, value) pairs as ASGI sends them, in order.
        body: the whole body; None if it was too large to keep.
        owed: set while the claim store has yet to be told.
    """

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes | None
    owed: Owed | None = None

    def encode(self) -> bytes:
        """Return the stored form; a body above one kilobyte is deflated if that makes it smaller."""
        body, deflated = self.body, False
        if body is not None and len(body) > _COMPRESS_ABOVE_BYTES:
            packed = zlib.compress(body, level=1)
            if len(packed) < len(body):
                body, deflated = packed, True
        head: dict[str, object] = {
            "v": 1,
            "status": self.status,
            "headers": [[n.decode("latin-1"), v.decode("latin-1")] for n, v in self.headers],
            "deflated": deflated,
            "kept": body is not None,
        }
        if self.owed is not None:
            head["owed"] = [self.owed.attempt_id, self.owed.until_ms]
        return json.dumps(head, separators=(",", ":")).encode() + b"\n" + (body or b"")

    @classmethod
    def decode(cls, stored: bytes) -> StoredResponse:
        """Read what `encode` wrote.

        Raises:
            ValueError: the bytes are something else.
        """
        first, _, body = stored.partition(b"\n")
        try:
            head = json.loads(first)
            headers = tuple((n.encode("latin-1"), v.encode("latin-1")) for n, v in head["headers"])
            whole = zlib.decompress(body) if head["deflated"] else body
            owed = Owed(*head["owed"]) if "owed" in head else None
            return cls(head["status"], headers, whole if head["kept"] else None, owed)
        except (KeyError, TypeError, ValueError, zlib.error) as error:
            raise ValueError("these bytes are no stored response") from error

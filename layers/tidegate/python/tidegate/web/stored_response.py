"""The stored form of a response: a JSON head on the first line, then the body's bytes. Never pickle.

It isn't trusted when it is read. Otherwise anybody with write access to a store could split responses (CR LF), exhaust
the memory (deflated zeros), or make every retry of a request fail until its key expires. Malformed bytes are a
`ValueError`.
"""

from __future__ import annotations

import json
import re
import zlib
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

if TYPE_CHECKING:
    from tidegate.web.body import Body

# The longest first line whose parsed form is cached; all of them together take half a megabyte at most.
_REMEMBERED_BYTES = 4096
_COMPRESS_ABOVE_BYTES = 1024
# A gateway accepts 10 MB at most. A larger body is never deflated, so one that inflates to more is forged.
LARGEST_INFLATED_BYTES = 16 * 1024 * 1024
_VERSION = 1
_LEAST_STATUS, _LAST_STATUS = 100, 999
# RFC 9110, sections 5.1 and 5.6.2: names are tokens; section 5.5: no value has these bytes.
_TOKENS = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+(?:\n[!#$%&'*+.^_`|~0-9A-Za-z-]+)*")
_IN_NO_VALUE = re.compile(rb"[\r\n\0]")


class PendingSync(NamedTuple):
    """Marks a response that only Redis has, because the claim store couldn't be written.

    Attributes:
        attempt_id: the attempt that made the response.
        until_ms: until when no other attempt can have made another one; epoch milliseconds.
    """

    attempt_id: str
    until_ms: int


class StoredResponse(NamedTuple):
    """A response, to be sent again byte for byte.

    Attributes:
        status: the HTTP status.
        headers: (name, value) pairs as ASGI sends them, in order.
        body: the whole body; None if it was too large to keep.
        pending_sync: set while the response is still to be written to the claim store.
        overlong: a body too large to keep, for as long as its own request lasts.
    """

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes | None
    pending_sync: PendingSync | None = None
    overlong: Body | None = None

    def encode(self) -> bytes:
        """Return the stored form; a body from one kilobyte to 16 MiB is deflated if that makes it smaller."""
        body, deflated = self.body, False
        if body is not None and _COMPRESS_ABOVE_BYTES < len(body) <= LARGEST_INFLATED_BYTES:
            packed = zlib.compress(body, level=1)
            if len(packed) < len(body):
                body, deflated = packed, True
        head: dict[str, object] = {
            "v": _VERSION,
            "status": self.status,
            "headers": [[n.decode("latin-1"), v.decode("latin-1")] for n, v in self.headers],
            "deflated": deflated,
            "kept": body is not None,
        }
        if self.pending_sync is not None:
            head["owed"] = [self.pending_sync.attempt_id, self.pending_sync.until_ms]
        return json.dumps(head, separators=(",", ":")).encode() + b"\n" + (body or b"")

    @classmethod
    def decode(cls, stored: bytes) -> StoredResponse:
        """Read what `encode` wrote.

        Raises:
            ValueError: the bytes are malformed.
        """
        first, _, body = stored.partition(b"\n")
        try:
            head = _head_of(first) if len(first) <= _REMEMBERED_BYTES else _head_of.__wrapped__(first)
            whole = _body(body, head)
        except (KeyError, TypeError, AttributeError, ValueError, RecursionError, zlib.error) as error:
            raise ValueError("these bytes are no stored response") from error
        return cls(head.status, head.headers, whole, head.pending_sync)


class _Head(NamedTuple):
    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    deflated: bool
    kept: bool
    pending_sync: PendingSync | None


@lru_cache(maxsize=128)
def _head_of(first: bytes) -> _Head:
    """Parse a record's first line, cached for copies that are given often."""
    head = _read_head(_HEAD.decode(first.decode()))
    pending_sync = _read_pending_sync(head["owed"]) if "owed" in head else None
    return _Head(head["status"], _read_headers(head["headers"]), head["deflated"], head["kept"], pending_sync)


def _once(members: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make a dict of an object's members; a repeated name is an error, as JSON parsers differ on which one counts."""
    made = dict(members)
    if len(made) != len(members):
        raise ValueError("a member comes twice")
    return made


def _refused(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


_HEAD = json.JSONDecoder(object_pairs_hook=_once, parse_constant=_refused)


def _read_head(head: Any) -> dict[str, Any]:
    if type(head) is not dict or head["v"] != _VERSION or type(head["v"]) is not int:
        raise ValueError("the head is another version's")
    if type(head["status"]) is not int or not _LEAST_STATUS <= head["status"] <= _LAST_STATUS:
        raise ValueError("the status is none")
    if type(head["deflated"]) is not bool or type(head["kept"]) is not bool:
        raise ValueError("the head doesn't say what the body is")
    return head


def _read_headers(pairs: Any) -> tuple[tuple[bytes, bytes], ...]:
    if type(pairs) is not list:
        raise ValueError("the headers are no list")
    headers = tuple([(name.encode("latin-1"), value.encode("latin-1")) for name, value in pairs])
    if headers:
        names, values = zip(*headers, strict=True)
        if any(b"\n" in name for name in names) or not _TOKENS.fullmatch(b"\n".join(names)):
            raise ValueError("a header's name is no token")
        if _IN_NO_VALUE.search(b"".join(values)):
            raise ValueError("a header's value ends its line")
    return headers


def _read_pending_sync(pair: Any) -> PendingSync:
    match pair:
        case [str(attempt_id), int(until_ms)] if type(until_ms) is int:
            return PendingSync(attempt_id, until_ms)
        case _:
            raise ValueError("what is owed can't be read")


def _body(stored: bytes, head: _Head) -> bytes | None:
    if head.kept:
        return _inflated(stored) if head.deflated else stored
    if stored:
        raise ValueError("the head says that there is no body")
    return None


def _inflated(body: bytes) -> bytes:
    inflating = zlib.decompressobj()
    whole = inflating.decompress(body, LARGEST_INFLATED_BYTES + 1)
    if not inflating.eof or inflating.unused_data or len(whole) > LARGEST_INFLATED_BYTES:
        raise ValueError("the body is cut short, goes on behind its end, or is larger than any")
    return whole

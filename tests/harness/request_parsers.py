"""What a client asked, read from its bytes as they pass: Redis commands, DynamoDB's and SQS' operations over HTTP."""

import re
from typing import Protocol


class RequestParser(Protocol):
    def feed(self, data: bytes) -> list[str]:
        """The names of the requests that are complete with `data`."""


class RespCommands:
    """Redis commands: arrays of bulk strings, however they are split over packets."""

    def __init__(self) -> None:
        self._unread = bytearray()
        self._name: str | None = None
        self._parts_due = 0

    def feed(self, data: bytes) -> list[str]:
        self._unread += data
        names: list[str] = []
        while self._step(names):
            pass
        return names

    def _step(self, names: list[str]) -> bool:
        """Consumes one array header or one bulk string; False when more bytes are needed."""
        end = self._unread.find(b"\r\n")
        if end < 0:
            return False
        number = int(self._unread[1:end])
        if self._parts_due == 0:
            if self._unread[:1] != b"*":
                raise ValueError(f"Not a RESP request: {bytes(self._unread[:40])!r}")
            self._parts_due = max(0, number)
            del self._unread[: end + 2]
            return True
        past = end + 2 + number + 2
        if len(self._unread) < past:
            return False
        if self._name is None:
            self._name = self._unread[end + 2 : past - 2].decode("ascii", "replace").upper()
        del self._unread[:past]
        self._parts_due -= 1
        if self._parts_due == 0:
            names.append(self._name)
            self._name = None
        return True


class DynamoOperations:
    """Operations in the X-Amz-Target header of HTTP requests; botocore sends the headers in one write."""

    _TARGET = re.compile(rb"x-amz-target: *(?:DynamoDB_\d+|AmazonSQS)\.(\w+)", re.IGNORECASE)

    def feed(self, data: bytes) -> list[str]:
        return [name.decode("ascii") for name in self._TARGET.findall(data)]


class Opaque:
    """TLS, say: nothing can be read from it."""

    def feed(self, data: bytes) -> list[str]:
        return []


def parser_for(first_bytes: bytes) -> RequestParser:
    """The parser for a connection that begins so."""
    if first_bytes[:1] == b"*":
        return RespCommands()
    return DynamoOperations() if first_bytes[:4] in (b"POST", b"GET ") else Opaque()

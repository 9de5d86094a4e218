"""RESP over asyncio's streams: a command as its words, a reply as the bytes that came."""

import asyncio


class MalformedError(Exception):
    """What came is no RESP."""


async def read_command(stream: asyncio.StreamReader) -> list[bytes] | None:
    """One command; None at the connection's end."""
    line = await stream.readline()
    if not line:
        return None
    if not line.startswith(b"*"):
        raise MalformedError(line[:40])
    words = []
    for _ in range(int(line[1:])):
        length = int((await stream.readline())[1:])
        words.append((await stream.readexactly(length + 2))[:-2])
    return words


async def read_reply(stream: asyncio.StreamReader) -> bytes:
    """One whole reply of RESP2, as it came."""
    line = await stream.readline()
    if not line.endswith(b"\r\n"):
        raise asyncio.IncompleteReadError(line, None)
    if line[:1] == b"$" and int(line[1:]) >= 0:
        return line + await stream.readexactly(int(line[1:]) + 2)
    if line[:1] == b"*":
        return line + b"".join([await read_reply(stream) for _ in range(int(line[1:]))])
    return line


def packed(*words: str | bytes | int) -> bytes:
    """A command as it is sent."""
    encoded = [word if isinstance(word, bytes) else str(word).encode() for word in words]
    return b"*%d\r\n" % len(encoded) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in encoded)

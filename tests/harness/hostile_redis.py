"""A server that speaks RESP and answers whatever a test tells it to: too much, too late, or something else."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import IO, Self

# What to send for one command.
Answers = Callable[[list[bytes]], bytes]


class HostileRedis:
    """Answers each command by `answers`; a context manager.

    Args:
        answers: what is sent for a command.
        greeting: what is sent to whoever connects, before anything is asked.
    """

    def __init__(self, answers: Answers, greeting: bytes = b"") -> None:
        self.answers = answers
        self.host = "127.0.0.1"
        self.commands: list[list[bytes]] = []
        self.connections = 0
        self._greeting = greeting
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server((self.host, 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, name="hostile-redis", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def url(self) -> str:
        return f"redis://{self.host}:{self.port}/0"

    def say(self, unasked: bytes) -> None:
        """Send something to everybody who is connected; returns when it is on its way."""
        for peer in list(self._open):
            peer.sendall(unasked)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for peer in list(self._open):
            peer.close()

    def _accept(self) -> None:
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.add(peer)
            threading.Thread(target=self._serve, args=(peer,), daemon=True).start()

    def _serve(self, peer: socket.socket) -> None:
        try:
            with peer, peer.makefile("rb") as stream:
                if self._greeting:
                    peer.sendall(self._greeting)
                while line := stream.readline():
                    command = [_argument(stream) for _ in range(int(line[1:]))]
                    self.commands.append(command)
                    if answer := self.answers(command):
                        peer.sendall(answer)
        except OSError:
            return
        finally:
            self._open.discard(peer)


def _argument(stream: IO[bytes]) -> bytes:
    length = int(stream.readline()[1:])
    return stream.read(length + 2)[:-2]


def bulk(value: bytes) -> bytes:
    """A bulk string as it is sent."""
    return b"$%d\r\n%s\r\n" % (len(value), value)


def array(*items: bytes | int) -> bytes:
    """A list of strings and numbers as it is sent."""
    return b"*%d\r\n" % len(items) + b"".join(
        b":%d\r\n" % item if isinstance(item, int) else bulk(item) for item in items
    )


def echo(command: list[bytes]) -> bytes:
    """Answer with the name of what is asked for, so that a reply tells whose it is."""
    return bulk(command[-1])

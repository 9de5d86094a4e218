"""What one request says to Redis, and what saying only that takes: the floor under any client."""

from __future__ import annotations

import os
import socket
import statistics
import threading
import time
from collections.abc import Callable
from urllib.parse import urlsplit

TURNS = 3000


class Recorder:
    """Passes one connection at a time on to Redis, and keeps what was last sent."""

    def __init__(self, redis_url: str) -> None:
        self._target = _address(redis_url)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self._listener.getsockname()[1]}/0"
        self.last = b""
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            client, _ = self._listener.accept()
            with client, socket.create_connection(self._target) as server:
                while sent := client.recv(65536):
                    self.last = sent
                    server.sendall(sent)
                    client.sendall(server.recv(65536))


def recorded(redis_url: str, act: Callable[[], None]) -> bytes:
    """What `act` last sends to the Redis that TIDEGATE_REDIS_URL names."""
    recorder = Recorder(redis_url)
    os.environ["TIDEGATE_REDIS_URL"] = recorder.url
    try:
        act()
    finally:
        os.environ["TIDEGATE_REDIS_URL"] = redis_url
    return recorder.last


def exchange_us(redis_url: str, sent: bytes) -> float:
    """The median of sending those bytes on a plain socket and reading the answer, in microseconds."""
    took = []
    with socket.create_connection(_address(redis_url)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(TURNS):
            began = time.perf_counter_ns()
            connection.sendall(sent)
            connection.recv(65536)
            took.append(time.perf_counter_ns() - began)
    return statistics.median(took) / 1000


def _address(redis_url: str) -> tuple[str, int]:
    parts = urlsplit(redis_url)
    assert parts.hostname
    assert parts.port
    return parts.hostname, parts.port

"""Clients that use the deployed shop while it is released: a steady rate of reads and orders, each answer noted."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import httpx

PRODUCT = "tea-assam"


@dataclass(frozen=True)
class Noted:
    """An answer: when (epoch seconds) and where it was asked for, its status (None: none came), the version if told."""

    at: float
    path: str
    status: int | None
    version: str | None


@dataclass
class Traffic:
    """What the clients noted so far."""

    noted: list[Noted] = field(default_factory=list)

    @property
    def failed(self) -> list[Noted]:
        """Those that got no useful answer."""
        return [answer for answer in self.noted if answer.status is None or answer.status >= 500]

    def versions(self) -> Counter[str]:
        """How often each version said that it was it."""
        return Counter(answer.version for answer in self.noted if answer.version)


@contextmanager
def traffic(state: dict[str, Any], clients: int = 4, per_s: float = 20) -> Iterator[Traffic]:
    """Run clients during the block; they stop before it ends."""
    noted, stop = Traffic(), threading.Event()
    threads = [
        threading.Thread(target=_client, args=(state, clients / per_s, number, noted, stop), daemon=True)
        for number in range(clients)
    ]
    for thread in threads:
        thread.start()
    try:
        yield noted
    finally:
        stop.set()
        for thread in threads:
            thread.join(60)


def _client(state: dict[str, Any], every_s: float, number: int, noted: Traffic, stop: threading.Event) -> None:
    key = {"x-api-key": state["api_keys"]["internal"]}
    due = time.monotonic() + every_s * number / 4
    with httpx.Client(timeout=60, trust_env=False) as http:
        for turn in count():
            if stop.wait(max(0.0, due - time.monotonic())):
                return
            due = max(due + every_s, time.monotonic())  # who was kept waiting doesn't make up for it
            noted.noted.append(_asked(http, state["api_url"], key, f"{number}-{turn}-{time.time_ns()}", turn))


def _asked(http: httpx.Client, url: str, key: dict[str, str], name: str, turn: int) -> Noted:
    path = ("/health", "/v1/products?limit=5", f"/v1/products/{PRODUCT}", "/v1/orders")[turn % 4]
    at = time.time()
    try:
        if path == "/v1/orders":
            order = {"items": [{"product_id": PRODUCT, "quantity": 1}]}
            answer = http.post(url + path, headers={**key, "idempotency-key": name}, json=order)
        else:
            answer = http.get(url + path, headers=key)
    except httpx.HTTPError:
        return Noted(at, path, None, None)
    version = answer.json().get("version") if path == "/health" and answer.status_code == 200 else None
    return Noted(at, path, answer.status_code, version)

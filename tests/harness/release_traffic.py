"""Clients that use the deployed shop while it is released: a steady rate of reads and orders, each answer noted."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any, NamedTuple

import httpx

# One for each client: who buys the same thing at the same time waits for each other, and that is no release's fault.
PRODUCTS = ("tea-assam", "tea-sencha", "coffee-espresso", "coffee-decaf")


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
def traffic(state: dict[str, Any], clients: int = 4, per_s: float = 20, orders: float = 0.25) -> Iterator[Traffic]:
    """Run clients during the block, so many requests a second in all, of which a share orders."""
    noted, stop = Traffic(), threading.Event()
    threads = [
        threading.Thread(target=_client, args=(state, clients / per_s, _Way(number, orders), noted, stop), daemon=True)
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


class _Way(NamedTuple):
    """Which client it is, and what it asks for."""

    number: int
    orders: float

    def path(self, turn: int) -> str:
        """Choose the request of a turn."""
        if int((turn + 1) * self.orders) > int(turn * self.orders):
            return "/v1/orders"
        return ("/health", "/v1/products?limit=5", f"/v1/products/{PRODUCTS[self.number % 4]}")[turn % 3]


def _client(state: dict[str, Any], every_s: float, way: _Way, noted: Traffic, stop: threading.Event) -> None:
    key = {"x-api-key": state["api_keys"]["internal"]}
    due = time.monotonic() + every_s * way.number / 4
    with httpx.Client(timeout=60, trust_env=False) as http:
        for turn in count():
            if stop.wait(max(0.0, due - time.monotonic())):
                return
            due = max(due + every_s, time.monotonic())  # who was kept waiting doesn't make up for it
            noted.noted.append(_asked(http, state["api_url"], key, way, turn))


def _asked(http: httpx.Client, url: str, key: dict[str, str], way: _Way, turn: int) -> Noted:
    path, at = way.path(turn), time.time()
    try:
        if path == "/v1/orders":
            order = {"items": [{"product_id": PRODUCTS[way.number % 4], "quantity": 1}]}
            answer = http.post(url + path, headers={**key, "idempotency-key": f"{way.number}-{turn}-{at}"}, json=order)
        else:
            answer = http.get(url + path, headers=key)
    except httpx.HTTPError:
        return Noted(at, path, None, None)
    version = answer.json().get("version") if path == "/health" and answer.status_code == 200 else None
    return Noted(at, path, answer.status_code, version)

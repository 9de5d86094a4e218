"""One call of each limiter as its user makes it, each on a thread and event loop of its own."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple

from tests.benchmarks import contenders, deciders, events
from tests.benchmarks.deciders import Rate
from tests.harness.lambda_events import LambdaContext


class Call(NamedTuple):
    """A limiter that is open: one call of it, and its end."""

    make: Callable[[], int]
    close: Callable[[], None]


Make = Callable[[asyncio.AbstractEventLoop], Call]
AMPLE = Rate(100_000)


@dataclass(frozen=True)
class Outcome:
    """What became of one call: an HTTP status (200 for a limiter's yes), or the exception's name; and its time."""

    said: str
    seconds: float

    @property
    def failed(self) -> bool:
        """Whether the client would see an error of the server's, which includes an exception."""
        return not self.said.isdigit() or int(self.said) >= 500


class Caller:
    """A thread that makes one call at a time when told to; a call that never ends doesn't keep the process.

    Args:
        make: opens the limiter on that thread, for its event loop.
    """

    def __init__(self, make: Make) -> None:
        self._orders: SimpleQueue[bool] = SimpleQueue()
        self._outcomes: SimpleQueue[Outcome] = SimpleQueue()
        threading.Thread(target=self._serve, args=(make,), daemon=True).start()

    def begin(self) -> None:
        """Start a call."""
        self._orders.put(True)

    def close(self) -> None:
        """End the thread as soon as it is free."""
        self._orders.put(False)

    def outcome(self, patience_s: float) -> Outcome | None:
        """The call's outcome; None if there is none yet."""
        try:
            return self._outcomes.get(timeout=max(0.0, patience_s))
        except Empty:
            return None

    def _serve(self, make: Make) -> None:
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        call: Call | None = None
        while self._orders.get():
            began = time.perf_counter()
            try:
                call = call or make(loop)
                said = str(call.make())
            except Exception as error:  # noqa: BLE001  what a peer raises is what is reported
                said = type(error).__name__
            self._outcomes.put(Outcome(said, time.perf_counter() - began))
        if call is not None:
            call.close()
        asyncio.set_event_loop(None)
        loop.close()


def everyone(url: str) -> Iterator[tuple[str, tuple[str, ...], Make]]:
    """Each limiter, the peers that it needs, and how it is opened; ours takes the TIDEGATE_* variables."""
    yield "Tidegate, GET", (), _get(lambda _: contenders.tidegate())
    yield "Tidegate, idempotent POST", (), _post(lambda _: contenders.tidegate())
    yield "slowapi", ("slowapi",), _get(lambda _: contenders.slowapi(url))
    fallback = {"in_memory_fallback_enabled": True}
    yield "slowapi, in-memory fallback", ("slowapi",), _get(lambda _: contenders.slowapi(url, options=fallback))
    yield "fastapi-limiter", ("fastapi-limiter",), _get(lambda loop: contenders.fastapi_limiter(url, loop))
    layer = lambda: contenders.cache_layer(url)  # noqa: E731  made by the thread that uses it
    yield "powertools on Redis", ("aws-lambda-powertools",), _post(lambda _: contenders.powertools(layer))
    yield "limits, fixed window", ("limits",), _decision("limits, fixed window", url)
    yield "throttled-py, GCRA", ("throttled-py",), _decision("throttled-py, GCRA", url)
    yield "pyrate-limiter, log", ("pyrate-limiter",), _decision("pyrate-limiter, log", url)


def _get(make: Callable[[asyncio.AbstractEventLoop], Any]) -> Make:
    return _request(make, lambda _: events.get("bench-key"))


def _post(make: Callable[[asyncio.AbstractEventLoop], Any]) -> Make:
    return _request(make, lambda number: events.post(f"key-{number}"))


def _request(make: Callable[[asyncio.AbstractEventLoop], Any], event: Callable[[int], dict[str, Any]]) -> Make:
    def opened(loop: asyncio.AbstractEventLoop) -> Call:
        handler = make(loop)
        ask = lambda: int(handler(event(time.time_ns()), LambdaContext())["statusCode"])  # noqa: E731  one of two
        return Call(ask, lambda: contenders.close(handler))

    return opened


def _decision(name: str, url: str) -> Make:
    decider = next(one for one in deciders.in_redis() if one.name == name)

    def opened(_: asyncio.AbstractEventLoop) -> Call:
        decide = decider.make(url, AMPLE)
        return Call(lambda: 200 if decide("bench-key") else 429, lambda: None)

    return opened

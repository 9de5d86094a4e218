"""Recovery points: what a handler of several steps has done, kept under its claim for whoever continues it.

From Brandur Leach, "Implementing Stripe-like Idempotency Keys in Postgres" (2017): between two effects on other
systems a handler records how far it has got, so that the attempt which takes over a crashed one's claim continues
after the last point instead of doing everything again.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from threading import Lock
from types import MappingProxyType
from typing import Any, NoReturn, Protocol

from tidegate.errors import ClaimLostError

JsonValue = str | int | float | bool | None | Sequence["JsonValue"] | Mapping[str, "JsonValue"]

LONGEST_NAME = 64
LARGEST_POINTS_BYTES = 32 * 1024


class Wait(Protocol):
    """How a blocking call is waited for (`BlockingRunner`)."""

    def __call__(self, call: Callable[[], None], /) -> Awaitable[None]:
        """Run it without blocking others."""


class RecoveryPoints:
    """The points of one attempt.

    Args:
        left: what earlier attempts left, as `keep` was given it.
        keep: writes all points under the claim; blocking; False if the claim is another attempt's now.
        wait: how an `async def` handler waits for that.

    Raises:
        ValueError: what is left are no points.
    """

    def __init__(self, left: bytes, keep: Callable[[bytes], bool], wait: Wait) -> None:
        self._points = read_points(left)
        self._keep = keep
        self._wait = wait
        self._lock = Lock()  # points of one handler's concurrent tasks are written one after another
        self.recovered: Mapping[str, Any] = MappingProxyType(dict(self._points))

    async def record(self, name: str, value: JsonValue) -> None:
        """Record a point, as `record_blocking` does, without blocking the event loop."""
        await self._wait(lambda: self.record_blocking(name, value))

    def record_blocking(self, name: str, value: JsonValue) -> None:
        """Record a point; when this returns, whoever takes over is told of it.

        Raises:
            ClaimLostError: another attempt has taken over.
            StoreUnavailableError: not known to be kept.
            TypeError, ValueError: the value is no JSON, or name or points are too long.
        """
        if not 0 < len(name) <= LONGEST_NAME:
            raise ValueError(f"a recovery point's name has 1 to {LONGEST_NAME} characters, not {len(name)}")
        with self._lock:
            points = {**self._points, name: value}
            if not self._keep(_packed(points)):
                raise ClaimLostError
            self._points = points


def read_points(left: bytes) -> dict[str, JsonValue]:
    """Read what earlier attempts left, as `keep` was given it.

    Raises:
        ValueError: it is something else; how far they got isn't known.
    """
    if not left:
        return {}
    try:
        points = json.loads(left, parse_constant=_refused) if len(left) <= LARGEST_POINTS_BYTES else None
    except (ValueError, RecursionError) as error:
        raise ValueError("these bytes are no recovery points") from error
    if not isinstance(points, dict) or not all(0 < len(name) <= LONGEST_NAME for name in points):
        raise ValueError("these bytes are no recovery points")
    return points


def _refused(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


def _packed(points: Mapping[str, JsonValue]) -> bytes:
    packed = json.dumps(points, separators=(",", ":"), allow_nan=False).encode()
    if len(packed) > LARGEST_POINTS_BYTES:
        raise ValueError(
            f"all recovery points together have {len(packed)} bytes as JSON; {LARGEST_POINTS_BYTES} are kept: "
            "store what is large elsewhere, and record where it is"
        )
    return packed

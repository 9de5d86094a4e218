"""The limits that a route may declare: frozen, in human units, each one algorithm of `tidegate.algorithms`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from functools import lru_cache
from typing import Any, Literal, get_args

from tidegate.algorithms.concurrency import Slots
from tidegate.algorithms.decision import Rule
from tidegate.algorithms.leaky_bucket import Drain
from tidegate.algorithms.quota import LONGEST_S, Calendar, period_at
from tidegate.algorithms.sliding_window import LARGEST_PRODUCT, Window
from tidegate.algorithms.token_bucket import Bucket
from tidegate.errors import ConfigurationError
from tidegate.units import LONGEST_US, Rate, duration_us

Per = Literal["principal", "organisation", "ip", "route"]
# What a request costs: units, or a function of its ASGI scope that says how many.
Cost = int | Callable[[Mapping[str, Any]], int]
LARGEST_QUOTA = 10**14  # well within the 15 digits of a structured field's Integer


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit(ABC):
    """What every limit has.

    Args:
        cost: units that one request spends; or a function of the ASGI scope that returns them, at least 0.
        name: how the limit is called in the RateLimit fields and in the store; its numbers if left out. A named
            limit keeps its state when its numbers or its place in the list change, and can be changed at run time.
        per: whose limit it is: each `principal`'s; each `organisation`'s (what `identify` says; a caller without one
            is not limited by it); each `ip`'s, for callers that are otherwise unknown, and for nobody else; or the
            whole `route`'s, all callers together.
        shared: whether all routes that declare a limit of this name share it; else each route has its own.
        shadow: whether it only reports: it is charged while it admits, shown in logs, and refuses nobody.

    Raises:
        ConfigurationError: an argument can't be used; it names it.
    """

    cost: Cost = 1
    name: str | None = None
    per: Per = "principal"
    shared: bool = False
    shadow: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.cost, int) and self.cost < 1:
            raise self._wrong("cost", f"{self.cost} charges nothing; write 1 or more")
        if self.name is not None and not (self.name.isascii() and self.name.isprintable() and self.name):
            raise self._wrong("name", "write printable ASCII: it is sent in a header field")
        if self.per not in get_args(Per):
            raise self._wrong("per", f"{self.per!r} is unknown; write one of {get_args(Per)}")
        if self.shared and self.name is None:
            raise self._wrong("shared", "routes share a limit by its name; write name=…, too")

    @property
    def label(self) -> str:
        """The limit's name in header fields, problems and logs."""
        return self.name or self.numbers

    @property
    @abstractmethod
    def numbers(self) -> str:
        """What the limit allows, in few characters."""

    @property
    @abstractmethod
    def window_s(self) -> int:
        """The window that the RateLimit-Policy field states, in whole seconds; 0: it states none."""

    @property
    @abstractmethod
    def quota(self) -> int:
        """Units that fit into that window."""

    @abstractmethod
    def rule(self, now_us: int, zone: str | None = None) -> Rule:
        """Return the algorithm with its numbers, as of a moment, for a caller in a time zone."""

    def _wrong(self, argument: str, problem: str) -> ConfigurationError:
        return ConfigurationError(f"{type(self).__name__}({argument}=…)", problem)

    def _rate(self, text: str) -> Rate:
        try:
            return Rate.parse(text)
        except ValueError as error:
            raise self._wrong("rate", str(error)) from error

    def _duration_us(self, argument: str, text: str) -> int:
        try:
            return duration_us(text)
        except ValueError as error:
            raise self._wrong(argument, str(error)) from error


@dataclass(frozen=True, slots=True)
class TokenBucket(Limit):
    """A limit that lets a burst through and then a steady rate (a token bucket, kept as GCRA).

    Args:
        rate: tokens that come back in a period: `"20/s"`, `"5/min"`, `"10/30s"`.
        burst: tokens that an idle caller may spend at once; the rate's count if left out.

    The other arguments are every `Limit`'s.

    Raises:
        ConfigurationError: the rate can't be read, or burst or cost is below 1.
    """

    rate: str
    burst: int | None = None
    bucket: Bucket = field(init=False)

    def __post_init__(self) -> None:
        Limit.__post_init__(self)
        rate = self._rate(self.rate)
        burst = rate.count if self.burst is None else self.burst
        if burst < 1:
            raise self._wrong("burst", f"{burst} admits nothing; write 1 or more")
        if rate.interval_us * burst > LONGEST_US or burst > LARGEST_QUOTA:
            raise self._wrong("burst", f"{burst} takes over a century to fill; write less")
        object.__setattr__(self, "bucket", Bucket(rate.interval_us, burst))

    @property
    def numbers(self) -> str:
        """The rate."""
        return "".join(self.rate.split())

    @property
    def window_s(self) -> int:
        """The seconds in which the bucket fills."""
        return max(1, -(-self.bucket.depth_us // 1_000_000))

    @property
    def quota(self) -> int:
        """As many units as fit into the seconds in which the bucket fills."""
        return max(self.bucket.burst, self.window_s * 1_000_000 // self.bucket.interval_us)

    def rule(self, now_us: int, zone: str | None = None) -> Rule:
        """Return the bucket."""
        del now_us, zone
        return self.bucket


@dataclass(frozen=True, slots=True)
class LeakyBucket(Limit):
    """A limit that shapes: requests start at a steady pace, and wait for their turn if it is near.

    Args:
        rate: starts in a period.
        max_wait: the longest that a request waits; one that would have to wait longer is refused with that time.

    The other arguments are every `Limit`'s. A waiting request occupies its Lambda environment, and is billed.

    Raises:
        ConfigurationError: the rate or the wait can't be read, or the wait is above 10 s.
    """

    rate: str
    max_wait: str = "250ms"
    drain: Drain = field(init=False)

    def __post_init__(self) -> None:
        Limit.__post_init__(self)
        wait_us = self._duration_us("max_wait", self.max_wait)
        if wait_us > 10_000_000:
            raise self._wrong("max_wait", f"{self.max_wait!r} holds a request for too long; write at most '10s'")
        object.__setattr__(self, "drain", Drain(self._rate(self.rate).interval_us, wait_us))

    @property
    def numbers(self) -> str:
        """The rate."""
        return "".join(self.rate.split())

    @property
    def window_s(self) -> int:
        """The seconds in which all that may wait has started."""
        return max(1, -(-(self.drain.max_wait_us + self.drain.interval_us) // 1_000_000))

    @property
    def quota(self) -> int:
        """As many starts as fit into them."""
        return max(1, self.window_s * 1_000_000 // self.drain.interval_us)

    def rule(self, now_us: int, zone: str | None = None) -> Rule:
        """Return the drain."""
        del now_us, zone
        return self.drain


@dataclass(frozen=True, slots=True)
class SlidingWindow(Limit):
    """A limit on the units within any stretch of time (a sliding window counter).

    Args:
        rate: units and the window's length: `"100/s"`, `"1000/h"`.

    The other arguments are every `Limit`'s.

    Raises:
        ConfigurationError: the rate can't be read, or the window is no whole number of milliseconds, or too large.
    """

    rate: str
    window: Window = field(init=False)

    def __post_init__(self) -> None:
        Limit.__post_init__(self)
        rate = self._rate(self.rate)
        if rate.period_us % 1000:
            raise self._wrong("rate", f"{self.rate!r} has a window of broken milliseconds; write whole ones")
        if rate.period_us // 1000 * rate.count > LARGEST_PRODUCT:
            raise self._wrong("rate", f"{self.rate!r} can't be counted exactly; write a Quota or a TokenBucket")
        object.__setattr__(self, "window", Window(rate.period_us // 1000, rate.count))

    @property
    def numbers(self) -> str:
        """The rate."""
        return "".join(self.rate.split())

    @property
    def window_s(self) -> int:
        """The window, at least a second."""
        return max(1, -(-self.window.window_ms // 1000))

    @property
    def quota(self) -> int:
        """Units in those seconds."""
        return max(self.window.quota, self.window.quota * self.window_s * 1000 // self.window.window_ms)

    def rule(self, now_us: int, zone: str | None = None) -> Rule:
        """Return the window."""
        del now_us, zone
        return self.window


@dataclass(frozen=True, slots=True)
class Quota(Limit):
    """A limit per calendar day or month.

    Args:
        rate: `"1000/day"` or `"50000/month"`.
        zone: whose calendar, as an IANA name; a caller's own time zone goes before it, UTC is last.

    The other arguments are every `Limit`'s.

    Raises:
        ConfigurationError: the rate is neither per day nor per month, or the zone is unknown.
    """

    rate: str
    zone: str | None = None
    units: int = field(init=False)
    calendar: Calendar = field(init=False)

    def __post_init__(self) -> None:
        Limit.__post_init__(self)
        count, _, calendar = (part.strip() for part in self.rate.partition("/"))
        if not count.isdigit() or int(count) == 0 or calendar not in LONGEST_S:
            raise self._wrong("rate", f"{self.rate!r} is no quota; write '1000/day' or '50000/month'")
        if int(count) > LARGEST_QUOTA:
            raise self._wrong("rate", f"{self.rate!r} is beyond what a header field can state; write less")
        if self.zone is not None and zone_of(self.zone) is None:
            raise self._wrong("zone", f"{self.zone!r} is unknown; write an IANA name such as 'Europe/Zurich'")
        object.__setattr__(self, "units", int(count))
        object.__setattr__(self, "calendar", calendar)

    @property
    def numbers(self) -> str:
        """The rate."""
        return "".join(self.rate.split())

    @property
    def window_s(self) -> int:
        """The longest such day or month; the field mustn't change from answer to answer."""
        return LONGEST_S[self.calendar]

    @property
    def quota(self) -> int:
        """The units."""
        return self.units

    def rule(self, now_us: int, zone: str | None = None) -> Rule:
        """Return the period around the moment on the caller's calendar."""
        found = (zone and zone_of(zone)) or (self.zone and zone_of(self.zone)) or UTC
        return period_at(now_us, self.calendar, found, self.units)


@dataclass(frozen=True, slots=True)
class Concurrency(Limit):
    """A limit on requests at the same time.

    Args:
        slots: how many.
        lease: after how long without a sign of life a dead holder's slot is free again; a living one renews it.

    The other arguments are every `Limit`'s; the cost is always one slot.

    Raises:
        ConfigurationError: slots or cost isn't at least 1, or the lease can't be read or is below a second.
    """

    slots: int
    lease: str = "30s"
    leased: Slots = field(init=False)

    def __post_init__(self) -> None:
        Limit.__post_init__(self)
        if self.slots < 1:
            raise self._wrong("slots", f"{self.slots} admits nothing; write 1 or more")
        if self.cost != 1:
            raise self._wrong("cost", "a request takes one slot; leave it out")
        lease_us = self._duration_us("lease", self.lease)
        if lease_us < 1_000_000:
            raise self._wrong("lease", f"{self.lease!r} ends before a holder can renew it; write at least '1s'")
        object.__setattr__(self, "leased", Slots(self.slots, lease_us))

    @property
    def numbers(self) -> str:
        """The slots."""
        return f"{self.slots}-at-once"

    @property
    def window_s(self) -> int:
        """None: slots have no window."""
        return 0

    @property
    def quota(self) -> int:
        """The slots."""
        return self.slots

    def rule(self, now_us: int, zone: str | None = None) -> Rule:
        """Return the slots."""
        del now_us, zone
        return self.leased


@lru_cache(maxsize=512)
def zone_of(name: str) -> tzinfo | None:
    """Return a time zone by its IANA name, or None if there is none of that name."""
    from zoneinfo import ZoneInfo  # noqa: PLC0415  most routes have no quota, and needn't pay for its import

    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return None

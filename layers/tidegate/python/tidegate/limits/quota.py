"""`Quota`: so many per calendar day or month, in somebody's time zone."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from functools import lru_cache

from tidegate.algorithms.decision import Rule
from tidegate.algorithms.quota import LONGEST_S, Calendar, period_at
from tidegate.limits.limit import LARGEST_QUOTA, Limit


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
    def of_the_moment(self) -> bool:
        """Always: its period is found from the time and the caller's zone."""
        return True

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


@lru_cache(maxsize=512)
def zone_of(name: str) -> tzinfo | None:
    """Return a time zone by its IANA name, or None if there is none of that name."""
    from zoneinfo import ZoneInfo  # noqa: PLC0415  most routes have no quota, and needn't pay for its import

    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return None

"""Human units in policies and settings: `"20/s"`, `"5/min"`, `"10/30s"`, `"250ms"`, `"24h"`."""

from __future__ import annotations

import re
from dataclasses import dataclass

# A century. Times beyond it aren't exact in Lua, whose doubles hold whole numbers up to 2^53.
LONGEST_US = 36_500 * 86_400_000_000

_UNITS_US = {
    "us": 1,
    "ms": 1_000,
    "s": 1_000_000,
    "sec": 1_000_000,
    "second": 1_000_000,
    "m": 60_000_000,
    "min": 60_000_000,
    "minute": 60_000_000,
    "h": 3_600_000_000,
    "hour": 3_600_000_000,
    "d": 86_400_000_000,
    "day": 86_400_000_000,
}
_DURATION = re.compile(r"(\d{1,15}(?:\.\d{1,15})?)?\s*([a-z]+)", re.ASCII)
_RATE = re.compile(r"(\d{1,15})\s*(?:/|per)\s*(.+)", re.ASCII)


def duration_us(text: str) -> int:
    """Read a duration such as `30s`, `250ms` or `day` as whole microseconds.

    Raises:
        ValueError: the text isn't a number and a unit, or it is zero or over a century.
    """
    found = _DURATION.fullmatch(text.strip().lower())
    unit = _UNITS_US.get(found.group(2)) if found else None
    if found is None or unit is None:
        raise ValueError(f"{text!r} is no duration; write a number and a unit, such as '30s', '250ms' or '24h'")
    amount = round(float(found.group(1) or 1) * unit)
    if amount <= 0:
        raise ValueError(f"{text!r} is no time at all; write at least '1us'")
    if amount > LONGEST_US:
        raise ValueError(f"{text!r} is over a century; write at most '36500d'")
    return amount


@dataclass(frozen=True, slots=True)
class Rate:
    """So many units in a period.

    Attributes:
        count: units, at least 1.
        period_us: microseconds.
    """

    count: int
    period_us: int

    @classmethod
    def parse(cls, text: str) -> Rate:
        """Read a rate such as `20/s`, `5/min` or `10/30s`.

        Raises:
            ValueError: the text isn't a whole number above zero, a slash and a duration; or the rate is more than one
                unit a microsecond, the clock's resolution.
        """
        found = _RATE.fullmatch(text.strip().lower())
        if found is None or int(found.group(1)) == 0:
            raise ValueError(f"{text!r} is no rate; write a count and a period, such as '20/s', '5/min' or '10/30s'")
        rate = cls(int(found.group(1)), duration_us(found.group(2)))
        if rate.count > rate.period_us:
            raise ValueError(f"{text!r} is faster than one a microsecond; write at most '1000000/s'")
        return rate

    @property
    def interval_us(self) -> int:
        """Microseconds between two units, rounded up, so that the limit is never exceeded."""
        return -(-self.period_us // self.count)

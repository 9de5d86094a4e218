"""The freshness that a response declares: its lifetime, its age, and whether it may be used stale.

Source: RFC 9111, sections 4.2.1 (lifetime), 4.2.3 (age), 4.2.4 (stale responses); RFC 5861. Malformed or contradictory
fields make a response stale.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from tidegate.cache.dates import parse_date
from tidegate.cache.directives import LONGEST_S, Directives
from tidegate.cache_messages import Windows
from tidegate.web.problems import Headers

_DIGITS = re.compile(r"[0-9]+", re.ASCII)
# These forbid a stale response whatever the route permits. RFC 9111 has `s-maxage` do so in shared caches; here it does
# so in all.
_NEVER_STALE = ("must-revalidate", "proxy-revalidate", "s-maxage")


class Lifetime(NamedTuple):
    """How long a response may be used by its own fields.

    Attributes:
        fresh_ms: its freshness lifetime, from when its origin server made it; None: it declares none.
        age_ms: the time since then.
        said_by: the field or directive that declares `fresh_ms`.
        stale_ms: for how long after that it may be given while a new one is made; None: it declares nothing.
        error_ms: the same for when making one fails.
    """

    fresh_ms: int | None
    age_ms: int = 0
    said_by: str | None = None
    stale_ms: int | None = None
    error_ms: int | None = None

    def within(self, windows: Windows) -> Windows:
        """Return what is left of a route's windows: a response can shorten them, never lengthen them.

        Its age is taken from its declared lifetime, or else from the route's.
        """
        own_ms = windows.fresh_ms if self.fresh_ms is None else self.fresh_ms
        fresh_ms = min(windows.fresh_ms, own_ms - self.age_ms)
        stale_ms = windows.stale_ms if self.stale_ms is None else min(windows.stale_ms, self.stale_ms)
        error_ms = windows.error_ms if self.error_ms is None else min(windows.error_ms, self.error_ms)
        return Windows(fresh_ms, stale_ms, max(stale_ms, error_ms))


def lifetime(headers: Headers, now_s: float, *, private: bool) -> Lifetime:
    """Read the freshness that a response declares.

    Args:
        headers: the response's.
        now_s: when it came; seconds since the epoch.
        private: whether the copy would be for one caller alone. `s-maxage` is for shared caches, so it may then shorten
            the lifetime only.
    """
    directives = Directives(headers)
    fresh_s, said_by = _fresh_s(headers, directives, now_s, private=private)
    stale_s, error_s = directives.seconds("stale-while-revalidate"), directives.seconds("stale-if-error")
    if any(directive in directives for directive in _NEVER_STALE):
        stale_s = error_s = 0
    return Lifetime(_ms(fresh_s), round(_age_s(headers, now_s) * 1000), said_by, _ms(stale_s), _ms(error_s))


def own_age_s(headers: Headers) -> int:
    """Return the Age that a response came with, in seconds: the first number of its first line; 0 if there is none."""
    lines = _lines(headers, b"age")
    first = lines[0].partition(",")[0].strip(" \t").partition(";")[0] if lines else ""
    if not _DIGITS.fullmatch(first):
        return 0
    return LONGEST_S if len(first) > len(str(LONGEST_S)) else min(LONGEST_S, int(first))


def _fresh_s(
    headers: Headers, directives: Directives, now_s: float, *, private: bool
) -> tuple[float | None, str | None]:
    shared_s, own_s = directives.seconds("s-maxage"), directives.seconds("max-age")
    if shared_s is not None and (own_s is None or not private or shared_s < own_s):
        return shared_s, "s-maxage"
    if own_s is not None:
        return own_s, "max-age"
    expires = _lines(headers, b"expires")
    if not expires:
        return None, None
    ends_s = parse_date(expires[0]) if len(expires) == 1 else None
    began_s = _date_s(headers)
    return (0 if ends_s is None else ends_s - (now_s if began_s is None else began_s)), "expires"


def _age_s(headers: Headers, now_s: float) -> float:
    """Its current age (RFC 9111, 4.2.3): by its Age or its Date, whichever is more."""
    date_s = _date_s(headers)
    # A Date is in whole seconds, so the current second doesn't count as age.
    apparent_s = 0 if date_s is None else max(0, int(now_s) - date_s)
    return max(apparent_s, own_age_s(headers))


def _date_s(headers: Headers) -> int | None:
    dates = _lines(headers, b"date")
    return parse_date(dates[0]) if dates else None


def _lines(headers: Headers, wanted: bytes) -> list[str]:
    return [value.decode("latin-1") for name, value in headers if name.lower() == wanted]


def _ms(seconds: float | None) -> int | None:
    return None if seconds is None else int(seconds * 1000)

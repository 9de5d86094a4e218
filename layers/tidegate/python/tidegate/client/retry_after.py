"""How long an answer asks to be left alone: `Retry-After` (RFC 9110, section 10.2.3)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

# A day: what asks for more is a mistake, and must not silence a client for ever.
LONGEST_S = 86_400.0

_SECONDS = re.compile(r"[0-9]{1,15}", re.ASCII)


def retry_after_s(text: str | None, date: str | None, now_us: int) -> float | None:
    """Read the field: whole seconds, or a date.

    A date is counted from the answer's own `Date`, so that it doesn't matter what time it is here.

    Args:
        text: the field.
        date: the answer's `Date`, if there is one.
        now_us: the time here in epoch microseconds, where there is none.

    Returns:
        Seconds from 0 to a day; None if the field is missing or isn't valid, which is then ignored.
    """
    if text is None:
        return None
    text = text.strip()
    if _SECONDS.fullmatch(text):
        return min(float(text), LONGEST_S)
    until, since = _epoch_s(text), _epoch_s(date)
    if until is None:
        return None
    return min(max(0.0, until - (now_us / 1_000_000 if since is None else since)), LONGEST_S)


def _epoch_s(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        read = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError):  # what the parser of the standard library makes of odd texts
        return None
    # All HTTP-dates are in GMT; one that doesn't say so is taken for one.
    aware = read if read.tzinfo else datetime.combine(read.date(), read.time(), UTC)
    try:
        return aware.timestamp()
    except (OverflowError, ValueError):
        return None

"""HTTP dates, parsed strictly: a malformed one counts as absent. Source: RFC 9110, 5.6.7."""

from __future__ import annotations

import re
from calendar import timegm
from datetime import UTC, datetime

_DAY, _LONG_DAY = "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)", "(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day"
_TIME = r"(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)"
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = f"(?P<month>{'|'.join(_MONTHS)})"
_FORMS = tuple(
    re.compile(form, re.ASCII | re.IGNORECASE)
    for form in (
        rf"{_DAY}, (?P<day>\d\d) {_MONTH} (?P<year>\d{{4}}) {_TIME} GMT",
        rf"{_LONG_DAY}, (?P<day>\d\d)-{_MONTH}-(?P<year>\d\d) {_TIME} GMT",
        rf"{_DAY} {_MONTH} (?P<day>\d\d| \d) {_TIME} (?P<year>\d{{4}})",
    )
)
# A year of two digits that seems further ahead than this is the latest past one with these digits.
_YEARS_AHEAD = 50


def parse_date(text: str) -> int | None:
    """Return a date in seconds since the epoch; None if it has none of the three forms of an HTTP date."""
    found = next((match for form in _FORMS if (match := form.fullmatch(text.strip(" \t")))), None)
    if found is None:
        return None
    year = int(found["year"])
    if len(found["year"]) == 2:
        year = _whole_year(year, datetime.now(UTC).year)
    month, second = _MONTHS.index(found["month"].lower()) + 1, min(59, int(found["second"]))  # a leap second
    try:
        moment = datetime(year, month, int(found["day"]), int(found["hour"]), int(found["minute"]), second, tzinfo=UTC)
    except ValueError:
        return None
    return timegm(moment.timetuple())


def _whole_year(last_two: int, now: int) -> int:
    year = now - now % 100 + last_two
    return year - 100 if year > now + _YEARS_AHEAD else year

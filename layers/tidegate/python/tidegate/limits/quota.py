"""`Quota`: so many units per calendar day or month, in the caller's time zone.

The period is computed from the clock and the zone before a store is asked; stores only compare times. **A period that
has begun keeps its end**, whatever calendar the next request has, and the next period begins at that end. If the rest
of that period's own calendar day or month is too short, because the caller's zone has changed, it is joined with the
following one. So a change of zone makes periods neither shorter nor more frequent, except that a month may be shorter
by as many hours as zones are apart.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import ClassVar, Literal, NamedTuple

from tidegate.decision import MOST_UNITS, NEVER, Decision, Known, LimitState, QuickDecision, Rule, State, by_count
from tidegate.limits.limit import LARGEST_QUOTA, STAND_IN, Limit, Rates

_DIGITS = 18  # of the longest count that is parsed, more than any quota has


@dataclass(frozen=True, slots=True)
class Quota(Limit):
    """A limit per calendar day or month.

    Args:
        rate: `"1000/day"` or `"50000/month"`.
        zone: the time zone, as an IANA name, of callers without one of their own; UTC if left out.

    The other arguments are every `Limit`'s.

    Raises:
        ConfigurationError: the rate is neither per day nor per month, or the zone is unknown.
    """

    rate: Rates
    zone: str | None = None
    units: int = field(init=False)
    calendar: Calendar = field(init=False)

    def __post_init__(self) -> None:
        Limit.__post_init__(self)
        if callable(self.rate):
            self._check_rates(self.rate)
        written = STAND_IN if callable(self.rate) else str(self.rate)
        count, _, calendar = (part.strip() for part in written.partition("/"))
        if not (count.isascii() and count.isdigit() and count.strip("0") and calendar in LONGEST_S):
            raise self._wrong("rate", f"{self.rate!r} is no quota; write '1000/day' or '50000/month'")
        if len(count) > _DIGITS or int(count) > LARGEST_QUOTA:
            raise self._wrong("rate", f"{self.rate!r} is beyond what a header field can state; write less")
        if self.zone is not None and zone_of(str(self.zone)) is None:
            raise self._wrong("zone", f"{self.zone!r} is unknown; write an IANA name such as 'Europe/Zurich'")
        object.__setattr__(self, "units", int(count))
        object.__setattr__(self, "calendar", calendar)
        self._check_cost()

    @property
    def of_the_moment(self) -> bool:
        """Always: its period is found from the time and the caller's zone."""
        return True

    @property
    def numbers(self) -> str:
        """The rate."""
        return self._written(self.rate)

    @property
    def window_s(self) -> int:
        """The longest such day or month, because the field must be the same in all responses."""
        return LONGEST_S[self.calendar]

    @property
    def quota(self) -> int:
        """The units."""
        return self.units

    def rule(self, now_us: int, zone: str | None = None) -> Rule:
        """Return the period around a time in the caller's zone."""
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


Calendar = Literal["day", "month"]
LONGEST_S = {"day": 86_400, "month": 31 * 86_400}
# Zones are from -12 to +14 h: 26 hours apart. That is a whole day, but a small part of a month.
_SLACK_US = {"day": 0, "month": 26 * 3_600_000_000}


class Running(NamedTuple):
    """The period that runs, and the units used in it; the state that stores keep.

    Attributes:
        start_us: when it began; epoch microseconds.
        used: units.
        end_us: when it ends; epoch microseconds.
    """

    start_us: int
    used: int
    end_us: int


@dataclass(frozen=True, slots=True)
class Period:
    """The quota of one calendar day or month.

    Attributes:
        start_us: when the period begins; epoch microseconds.
        end_us: when the next one begins; epoch microseconds.
        quota: units within it.
        after_us: when the next one ends; epoch microseconds; 0: the next one is as long as this one.
        slack_us: by how much a period may be shorter that begins at the end of another calendar's; microseconds.
    """

    kind: ClassVar[str] = "q"

    start_us: int
    end_us: int
    quota: int
    after_us: int = 0
    slack_us: int = 0

    @property
    def next_end_us(self) -> int:
        """When the next one ends."""
        return self.after_us or 2 * self.end_us - self.start_us

    @property
    def numbers(self) -> tuple[str, int]:
        """Its two numbers, as scripts take them."""
        return f"{self.start_us}:{self.end_us}:{self.next_end_us}:{self.slack_us}", self.quota

    @property
    def most(self) -> int:
        """The quota."""
        return self.quota

    def decide(self, state: State | None, now_us: int, cost: int, known: Known) -> Decision:
        """Decide a charge; the state is a `Running`."""
        start, used, end = self.running(now_us, state, known.counts)
        left = max(0, self.quota - used)
        retry_after = 0 if cost <= left else NEVER if cost > self.quota else max(1, end - now_us)
        return by_count(left, cost, retry_after, (start, used + cost, end), (start, used, end))

    def decide_quickly(self, state: State, now_us: int, cost: int, debt_us: int) -> QuickDecision:
        """Decide as `decide` does, with only the answer that holds."""
        del debt_us
        start, used, end = state if now_us < state[2] else self.running(now_us, state)
        left = max(0, self.quota - used)
        if cost <= left:
            kept = start, used + cost, end
            until = max(now_us + 1_000_000, end + self.end_us - self.start_us)
            return LimitState(True, left - cost, 0, 0, 0, kept), kept, until  # noqa: FBT003  a keyword costs time
        wait = NEVER if cost > self.quota else max(1, end - now_us)
        return LimitState(False, left, wait, counts=(start, used, end)), state, 0  # noqa: FBT003  as above

    def running(self, now_us: int, *snapshots: State | None) -> Running:
        """Return the period that runs and the units used in it, by the later snapshot, or the larger of one period."""
        period = max(
            [self._read(snapshot) for snapshot in snapshots if snapshot], default=Running(self.start_us, 0, self.end_us)
        )
        for _ in range(2):  # the caller's own period may have ended, too, if this clock is ahead of its clock
            if now_us >= period.end_us:
                period = self._next(period.end_us)
        return period

    def _read(self, snapshot: State) -> Running:
        """Read a snapshot; one of the previous release lacks the end, which then comes from this calendar."""
        start, used, *end = (int(number) for number in snapshot)
        if end and end[0] > start:
            return Running(start, used, end[0])
        return Running(start, used, self.end_us if start == self.start_us else start + self.end_us - self.start_us)

    def _next(self, ended_us: int) -> Running:
        """Return the period after one that has ended."""
        whole = ended_us <= self.start_us + self.slack_us
        return Running(max(self.start_us, ended_us), 0, self.end_us if whole else self.next_end_us)

    def merged(self, one: State, other: State, now_us: int) -> State:
        """Return the later of two snapshots, or the larger of one period."""
        del now_us
        return max(self._read(one), self._read(other))

    def knows(self, state: State | None, now_us: int) -> bool:
        """Whether a store with this state has counted units in the period that runs."""
        return state is not None and now_us < self._read(state).end_us

    def corrected(self, state: State | None, now_us: int, units: int, known: Known) -> State:
        """Charge more units to the period that runs, or give units back if they were charged in it.

        `known.counts` is the period as it was when the units were charged; without it, they were charged in this one.
        """
        start, used, end = self.running(now_us, state)
        charged_before = known.counts[0] < start if known.counts else self.end_us <= start
        if units < 0 and charged_before:
            units = 0
        return (start, min(MOST_UNITS, max(0, used + units)), end)

    def next_unit_us(self, state: LimitState, now_us: int) -> int:
        """Until the period ends."""
        return max(1, (state.counts[2] if state.counts else self.end_us) - now_us)

    def kept_for_us(self, state: State, now_us: int) -> int:
        """Until one more period after its end, because the next period begins at that end, in any calendar."""
        return max(1_000_000, int(state[2]) + self.end_us - self.start_us - now_us)

    def evenly_used(self, state: State | None, now_us: int, since_us: int, known: Known) -> State:
        """Return the period that runs as if it had been used at an even pace up to a time."""
        start, used, end = self.running(now_us, state, known.counts)
        passed = min(max(0, since_us - start), end - start)
        return (start, max(used, self.quota * passed // (end - start)), end)


def period_at(now_us: int, calendar: Calendar, zone: tzinfo, quota: int) -> Period:
    """Return the day or month around a time, by the local time of the zone, daylight saving included."""
    local = datetime.fromtimestamp(now_us // 1_000_000, zone)
    first = local.date() if calendar == "day" else local.date().replace(day=1)
    days = [first]
    for _ in range(2):
        days.append(days[-1] + timedelta(days=1) if calendar == "day" else _month_after(days[-1]))
    start, end, after = (_epoch_us(datetime(day.year, day.month, day.day, tzinfo=zone)) for day in days)
    return Period(start, end, quota, after, _SLACK_US[calendar])


def _month_after(first: date) -> date:
    return (first + timedelta(days=32)).replace(day=1)


def _epoch_us(moment: datetime) -> int:
    return (moment.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)

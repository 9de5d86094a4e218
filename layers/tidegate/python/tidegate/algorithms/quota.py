"""Quotas by the calendar: so many units per day or month, in somebody's time zone.

The period is found from the clock and the zone before anything is asked; stores only compare its start. A period
that somebody else's clock has begun already stays begun.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import ClassVar, Literal

from tidegate.algorithms.decision import NEVER, Decision, Known, LimitState, State

Calendar = Literal["day", "month"]
LONGEST_S = {"day": 86_400, "month": 31 * 86_400}


@dataclass(frozen=True, slots=True)
class Period:
    """One day's or month's quota.

    Attributes:
        start_us: when the period began; epoch microseconds.
        end_us: when the next one begins.
        quota: units within it.
    """

    kind: ClassVar[str] = "q"

    start_us: int
    end_us: int
    quota: int

    @property
    def numbers(self) -> tuple[str, int]:
        """Its two numbers, as scripts take them."""
        return f"{self.start_us}:{self.end_us}", self.quota

    def decide(self, state: State | None, now_us: int, cost: int, known: Known) -> Decision:
        """Decide a charge; the state is (start of the period, units used)."""
        start, used = self.used(state, known)
        left = max(0, self.quota - used)
        allowed = cost <= left
        retry_after = 0 if allowed else self._retry_after_us(now_us, cost)
        kept = (start, used + cost)
        return Decision(
            allowed,
            kept,
            LimitState(allowed, max(0, left - cost), retry_after, counts=kept),
            LimitState(allowed, left, retry_after, counts=(start, used)),
        )

    def used(self, state: State | None, known: Known) -> tuple[int, int]:
        """Return the period that counts and what was used in it, by the larger of two tales."""
        tales = [(int(tale[0]), int(tale[1])) for tale in (state, known.counts) if tale]
        return max([(self.start_us, 0), *tales])

    def corrected(self, state: State | None, now_us: int, units: int, known: Known) -> State:
        """Use more or fewer units of the period, never below none."""
        del now_us
        start, used = self.used(state, known)
        return (start, max(0, used + units))

    def next_unit_us(self, state: LimitState, now_us: int) -> int:
        """Until the period ends."""
        del state
        return max(1, self.end_us - now_us)

    def kept_for_us(self, state: State, now_us: int) -> int:
        """Until the period ends; a store whose clock is ahead keeps it no shorter than a second."""
        del state
        return max(1_000_000, self.end_us - now_us)

    def evenly_used(self, state: State | None, now_us: int, known: Known) -> State:
        """Return the units of a period of which a store knows too little: as if they were used at an even pace."""
        start, used = self.used(state, known)
        passed = min(max(0, now_us - self.start_us), self.end_us - self.start_us)
        return (start, max(used, self.quota * passed // (self.end_us - self.start_us)))

    def _retry_after_us(self, now_us: int, cost: int) -> int:
        return NEVER if cost > self.quota else max(1, self.end_us - now_us)


def period_at(now_us: int, calendar: Calendar, zone: tzinfo, quota: int) -> Period:
    """Return the day or month around a moment, as the zone's clocks on the wall have it, changes of hour included."""
    local = datetime.fromtimestamp(now_us // 1_000_000, zone)
    first = local.date() if calendar == "day" else local.date().replace(day=1)
    after = first + timedelta(days=1) if calendar == "day" else (first + timedelta(days=32)).replace(day=1)
    start, end = (datetime(day.year, day.month, day.day, tzinfo=zone) for day in (first, after))
    return Period(_epoch_us(start), _epoch_us(end), quota)


def _epoch_us(moment: datetime) -> int:
    return (moment.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)

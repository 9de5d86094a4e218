"""`SlidingWindow`: so many units within any interval of the window's length.

No interval of that length admits more than the quota, whenever it begins. A log of all charges would be exact, but
grows with the quota. Here the charges within a fourteenth of the window make one part: their units, and the time of the
last of them. A part counts whole until a window after its last charge, so that no unit is forgotten too early: **each
counts for at least the window, and for at most a fourteenth longer**. A burst is a part of its own, and is forgotten
exactly a window after it.

Source: Datar, Gionis, Indyk and Motwani, "Maintaining stream statistics over sliding windows" (2002), whose buckets are
dropped when their last element has left the window; here they are equal in time instead of in size. All arithmetic is
in whole numbers, the same in Python, in Lua and against DynamoDB.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from tidegate.decision import MOST_UNITS, NEVER, Decision, Known, LimitState, Rule, State, by_count
from tidegate.limits.limit import Limit, Rates


@dataclass(frozen=True, slots=True)
class SlidingWindow(Limit):
    """A limit on the units within any interval of the window's length, exact to the unit.

    A unit counts for at least the window and at most a fourteenth longer, so a caller that is always at the limit may
    have to wait that much longer. `SlidingWindowCounter` estimates the same by two counters.

    Args:
        rate: units and the window's length: `"100/s"`, `"1000/h"`.

    The other arguments are every `Limit`'s.

    Raises:
        ConfigurationError: the rate can't be read, or the window is no whole number of milliseconds.
    """

    rate: Rates
    window: Window = field(init=False)

    def __post_init__(self) -> None:
        Limit.__post_init__(self)
        rate = self._rate(self.rate)
        if rate.period_us % 1000:
            raise self._wrong("rate", f"{self.rate!r} has a window of broken milliseconds; write whole ones")
        object.__setattr__(self, "window", Window(rate.period_us // 1000, rate.count))
        self._check_cost()

    @property
    def numbers(self) -> str:
        """The rate."""
        return self._written(self.rate)

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


# The parts of a window: as many as fit into 152 bytes in Redis, with two bytes for the units of each. And the ticks of
# a part, which date its last charge in one byte.
PARTS, TICKS = 14, 256
# A window may touch one part more than it has, and one more is for clocks that differ.
MOST_PARTS = PARTS + 2


@dataclass(frozen=True, slots=True)
class Window:
    """A sliding window's length and quota.

    Its state is the parts that count, the latest first: for each the tick of its last charge, and its units. A tick is
    a 3584th of the window, counted from the epoch, so that two snapshots of one window have the same parts.

    Attributes:
        window_ms: its length in milliseconds.
        quota: units within any interval of that length.
    """

    kind: ClassVar[str] = "s"

    window_ms: int
    quota: int

    @property
    def numbers(self) -> tuple[int, int]:
        """Its two numbers, as scripts take them."""
        return self.window_ms, self.quota

    @property
    def most(self) -> int:
        """The quota."""
        return self.quota

    @property
    def tick_us(self) -> int:
        """Microseconds of a tick."""
        return -(-self.window_ms * 1000 // (PARTS * TICKS))

    def decide(self, state: State | None, now_us: int, cost: int, known: Known) -> Decision:
        """Decide a charge."""
        seen = self.seen(now_us, state, known.counts)
        room = max(0, self.quota - sum(seen[1::2]))
        retry_after = 0 if cost <= room else self._retry_after_us(seen, now_us, cost)
        return by_count(room, cost, retry_after, self._charged(seen, now_us, cost), seen)

    def seen(self, now_us: int, *snapshots: State | None) -> State:
        """Return the parts that count now; for each the larger of two snapshots, since a part only grows."""
        given = [snapshot for snapshot in snapshots if snapshot]
        if len(given) == 1 and given[0][1]:  # parts follow one another, so the forgotten ones are the last
            [snapshot] = given
            counts = len(snapshot)
            while counts and self._forgotten_at(snapshot[counts - 2]) <= now_us:
                counts -= 2
            return snapshot if counts == len(snapshot) else snapshot[:counts]
        parts: dict[int, tuple[int, int]] = {}
        for snapshot in given:
            for last, units in zip(snapshot[::2], snapshot[1::2], strict=True):
                if units > 0 and self._forgotten_at(last) > now_us:
                    index = last // TICKS
                    before = parts.get(index, (last, units))
                    parts[index] = max(last, before[0]), max(units, before[1])
        return _listed(parts)

    def merged(self, one: State, other: State, now_us: int) -> State:
        """Return the union of two snapshots, as of now, or of their last charge if a clock was ahead."""
        latest = [(snapshot[0] - 1) * self.tick_us for snapshot in (one, other) if snapshot]
        now_us = max([now_us, *latest])
        return other if self._goes_on(one, other, now_us) else self.seen(now_us, one, other)

    def _goes_on(self, before: State, after: State, now_us: int) -> bool:
        """Whether a snapshot includes an earlier one, as it nearly always does, so that nothing has to be merged."""
        new = 0 if after and before and after[0] // TICKS == before[0] // TICKS else 2
        if len(after) <= new or not before:
            return not before
        same, rest = after[new + 2 :], before[2:]
        if rest[: len(same)] != same or before[0] > after[new] or before[0] // TICKS != after[new] // TICKS:
            return False
        forgotten = len(rest) == len(same) or self._forgotten_at(rest[len(same)]) <= now_us
        return forgotten and bool(before[1] <= after[new + 1])

    def knows(self, state: State | None, now_us: int) -> bool:
        """Whether a store with this state has charged units that still count."""
        return bool(self.seen(now_us, state))

    def evenly_used(self, state: State | None, now_us: int, since_us: int, known: Known) -> State:
        """Return the window as if it had been used up at an even pace up to a time.

        So there was no room at that time, and since then room has come back at that pace.
        """
        latest = -(-since_us // self.tick_us)
        even: dict[int, tuple[int, int]] = {}
        for part in range(PARTS):
            units = self.quota * (part + 1) // PARTS - self.quota * part // PARTS
            if units:
                even[-part] = latest - part * TICKS, units
        return self.seen(now_us, state, _listed(even), known.counts)

    def corrected(self, state: State | None, now_us: int, units: int, known: Known) -> State:
        """Charge more units now, or give units back to the part in which they were charged, if it still counts.

        `known.counts` is the window as it was when the units were charged; without it, that was just now.
        """
        seen = self.seen(now_us, state)
        if units >= 0:
            return self._charged(seen, now_us, units)
        charged_in = (known.counts or seen)[:1]
        return tuple(
            number
            for last, held in zip(seen[::2], seen[1::2], strict=True)
            for left in [max(0, held + units) if last // TICKS == charged_in[0] // TICKS else held]
            if left
            for number in (last, left)
        )

    def next_unit_us(self, state: LimitState, now_us: int) -> int:
        """Until the oldest part is forgotten."""
        if not state.counts:
            return self.window_ms * 1000
        return max(1, self._forgotten_at(state.counts[-2]) - now_us)

    def kept_for_us(self, state: State, now_us: int) -> int:
        """Until the latest part is forgotten."""
        return max(0, self._forgotten_at(state[0]) - now_us) if state else 0

    def _charged(self, seen: State, now_us: int, units: int) -> State:
        """Add units now. A latest part from a clock ahead of this one stays the latest."""
        if not units:
            return seen
        tick = max(-(-now_us // self.tick_us), *seen[:1] or (0,))
        if seen and seen[0] // TICKS == tick // TICKS:
            return (tick, min(MOST_UNITS, seen[1] + units), *seen[2:])
        return _listed(
            {last // TICKS: (last, held) for last, held in zip((tick, *seen[::2]), (units, *seen[1::2]), strict=True)}
        )

    def _retry_after_us(self, seen: State, now_us: int, cost: int) -> int:
        """Microseconds until the same cost fits, if nothing else is charged meanwhile."""
        if cost > self.quota:
            return NEVER
        held = sum(seen[1::2])
        for last, units in zip(seen[-2::-2], seen[::-2], strict=True):
            held -= units
            if held + cost <= self.quota:
                return self._forgotten_at(last) - now_us
        raise AssertionError("an empty window has room for its quota")

    def _forgotten_at(self, last: int) -> int:
        """Return when a part stops counting; one microsecond later, because an interval includes both its ends."""
        return last * self.tick_us + self.window_ms * 1000 + 1


def _listed(parts: dict[int, tuple[int, int]]) -> State:
    """List parts, the latest first; if clocks differ and there are too many, the earliest are added to a later one."""
    if not parts:
        return ()
    oldest = max(parts) - MOST_PARTS + 1
    early = [index for index in parts if index < oldest]
    if early:
        last, units = parts.get(oldest, (oldest * TICKS, 0))
        parts[oldest] = last, min(MOST_UNITS, units + sum(parts.pop(index)[1] for index in early))
    return tuple(number for index in sorted(parts, reverse=True) for number in parts[index])

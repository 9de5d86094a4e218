"""`SlidingWindowCounter`: about so many units within any interval of the window's length, by two counters.

Two counters replace a log of charges: of the previous window's count, the share counts that still overlaps the last
`window_ms`. This assumes that the previous window was used evenly, which is its only inexactness. Given that, the
decision is exact whole-number arithmetic, the same in Python, in Lua and against DynamoDB.

Source: "How we built rate limiting capable of scaling to millions of domains" (Cloudflare, 2017).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from tidegate.decision import MOST_UNITS, NEVER, Decision, Known, LimitState, QuickDecision, Rule, State, by_count
from tidegate.limits.limit import Limit, Rates


@dataclass(frozen=True, slots=True)
class SlidingWindowCounter(Limit):
    """A limit on the units within any interval, as two counters estimate them (a sliding window counter).

    The previous window's count fades as if it had been used evenly. If it wasn't, an interval may hold nearly twice the
    units; `SlidingWindow` is exact. This one is for windows that have to be counted as Cloudflare counts its own.

    Args:
        rate: units and the window's length: `"100/s"`, `"1000/h"`.

    The other arguments are every `Limit`'s.

    Raises:
        ConfigurationError: the rate can't be read, or the window is no whole number of milliseconds, or too large.
    """

    rate: Rates
    window: WindowCounter = field(init=False)

    def __post_init__(self) -> None:
        Limit.__post_init__(self)
        rate = self._rate(self.rate)
        if rate.period_us % 1000:
            raise self._wrong("rate", f"{self.rate!r} has a window of broken milliseconds; write whole ones")
        if rate.period_us // 1000 * rate.count > LARGEST_PRODUCT:
            raise self._wrong("rate", f"{self.rate!r} can't be counted exactly; write a Quota or a TokenBucket")
        object.__setattr__(self, "window", WindowCounter(rate.period_us // 1000, rate.count))
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


# Counter times milliseconds must stay exact in Lua's doubles.
LARGEST_PRODUCT = 2**52


@dataclass(frozen=True, slots=True)
class Counts:
    """The state: the number of a window since the epoch, its count, and the count of the one before."""

    index: int
    current: int
    previous: int

    def at(self, index: int) -> Counts:
        """Return the counts as of a later window; an earlier one doesn't change them."""
        if index <= self.index:
            return self
        return Counts(index, 0, self.current if index == self.index + 1 else 0)

    def as_state(self) -> State:
        """Return the tuple that stores keep."""
        return (self.index, self.current, self.previous)


@dataclass(frozen=True, slots=True)
class WindowCounter:
    """A sliding window counter's length and quota.

    Attributes:
        window_ms: its length in milliseconds.
        quota: units within any window; `quota * window_ms` is at most `LARGEST_PRODUCT`.
    """

    kind: ClassVar[str] = "w"

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

    def decide(self, state: State | None, now_us: int, cost: int, known: Known) -> Decision:
        """Decide a charge; the state is (index, current, previous)."""
        counts = self.counts(state, now_us, known)
        elapsed = self._elapsed(counts, now_us)
        room = self.room(counts, elapsed)
        retry_after = 0 if cost <= room else self.retry_after_us(counts, elapsed, cost)
        kept = Counts(counts.index, counts.current + cost, counts.previous).as_state()
        return by_count(room, cost, retry_after, kept, counts.as_state())

    def decide_quickly(self, state: State, now_us: int, cost: int, debt_us: int) -> QuickDecision:
        """Decide as `decide` does, with only the answer that holds."""
        del debt_us
        index, current, previous = state
        window, now_ms = self.window_ms, now_us // 1000
        latest = now_ms // window
        if latest > index:
            index, current, previous = latest, 0, current if latest == index + 1 else 0
        elapsed = max(0, now_ms - index * window)
        room = max(0, ((self.quota - current) * window - previous * (window - elapsed)) // window)
        if cost <= room:
            kept = index, current + cost, previous
            return LimitState(True, room - cost, 0, 0, 0, kept), kept, (index + 2) * window * 1000  # noqa: FBT003  quicker
        counts = Counts(index, current, previous)
        wait = self.retry_after_us(counts, elapsed, cost)
        return LimitState(False, room, wait, counts=counts.as_state()), state, 0  # noqa: FBT003  as above

    def counts(self, state: State | None, now_us: int, known: Known) -> Counts:
        """Return the counts of the current window: for each the larger of the stored and the carried state."""
        return self._seen(now_us, state, known.counts)

    def _seen(self, now_us: int, *states: State | None) -> Counts:
        """Merge snapshots. A window that began by a clock ahead of this one stays the current one."""
        snapshots = [Counts(*snapshot) for snapshot in states if snapshot]
        index = max([now_us // 1000 // self.window_ms, *(snapshot.index for snapshot in snapshots)])
        seen = [snapshot.at(index) for snapshot in snapshots]
        return Counts(
            index,
            max([0, *(snapshot.current for snapshot in seen)]),
            max([0, *(snapshot.previous for snapshot in seen)]),
        )

    def merged(self, one: State, other: State, now_us: int) -> State:
        """Return the larger counts of two snapshots, as of now."""
        return self._seen(now_us, one, other).as_state()

    def knows(self, state: State | None, now_us: int) -> bool:
        """Whether a store with this state has counted in this window or the one before."""
        return state is not None and bool(state[0] >= now_us // 1000 // self.window_ms - 1)

    def room(self, counts: Counts, elapsed_ms: int) -> int:
        """Return the whole units that fit now, `elapsed_ms` after the window began."""
        weighted = counts.previous * (self.window_ms - elapsed_ms) + counts.current * self.window_ms
        return max(0, (self.quota * self.window_ms - weighted) // self.window_ms)

    def retry_after_us(self, counts: Counts, elapsed_ms: int, cost: int) -> int:
        """Microseconds until the same cost fits, if nothing else is charged meanwhile."""
        if cost > self.quota:
            return NEVER
        free = self.quota - counts.current - cost
        if free >= 0:  # in this window still, once enough of the one before has faded
            return (self._faded_at(counts.previous, free) - elapsed_ms) * 1000
        return (self.window_ms - elapsed_ms + self._faded_at(counts.current, self.quota - cost)) * 1000

    def _faded_at(self, fading: int, free: int) -> int:
        """Milliseconds into a window at which no more than `free` of the window before counts."""
        if fading <= free:
            return 0
        return self.window_ms - free * self.window_ms // fading

    def corrected(self, state: State | None, now_us: int, units: int, known: Known) -> State:
        """Charge more units now, or give units back to the window in which they were charged, never below zero.

        `known.counts` is the window as it was when the units were charged; without it, that was just now.
        """
        index, current, previous = self._seen(now_us, state).as_state()
        charged_in = known.counts[0] if known.counts and units < 0 else index
        if charged_in == index:
            return (index, min(MOST_UNITS, max(0, current + units)), previous)
        return (index, current, max(0, previous + units) if charged_in == index - 1 else previous)

    def next_unit_us(self, state: LimitState, now_us: int) -> int:
        """Until the window ends, because only then its own count begins to fade."""
        index = state.counts[0] if state.counts else now_us // 1000 // self.window_ms
        return max(1000, (index + 1) * self.window_ms * 1000 - now_us)

    def kept_for_us(self, state: State, now_us: int) -> int:
        """Until the window after the next begins."""
        return max(0, (int(state[0]) + 2) * self.window_ms * 1000 - now_us)

    def evenly_used(self, state: State | None, now_us: int, since_us: int, known: Known) -> State:
        """Return the counts as if the window had been used up at an even pace up to a time.

        So there was no room at that time, and since then room has come back at that pace. Units that another store
        counted aren't given a second time.
        """
        index, past_ms = divmod(since_us // 1000, self.window_ms)
        even = Counts(index, self.quota * past_ms // self.window_ms, self.quota)
        return self._seen(now_us, state, even.as_state(), known.counts).as_state()

    def _elapsed(self, counts: Counts, now_us: int) -> int:
        return max(0, now_us // 1000 - counts.index * self.window_ms)

"""The sliding window counter: the last window's count fades out as this one's grows.

Two counters stand for a whole log: of the window before, as much counts as still overlaps the last `window_ms`.
It assumes that the window before was used evenly, which is its only inexactness; with that assumption the
decision is exact whole-number arithmetic, the same in Python, in Lua and against DynamoDB.

Source: "How we built rate limiting capable of scaling to millions of domains" (Cloudflare, 2017).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tidegate.algorithms.decision import NEVER, Decision, Known, LimitState, State

# Counter times milliseconds must stay exact in Lua's doubles.
LARGEST_PRODUCT = 2**52


@dataclass(frozen=True, slots=True)
class Counts:
    """The state: which window, what was counted in it, and in the one before."""

    index: int
    current: int
    previous: int

    def at(self, index: int) -> Counts:
        """The same counts as they are seen from a later window; an earlier one sees them unchanged."""
        if index <= self.index:
            return self
        return Counts(index, 0, self.current if index == self.index + 1 else 0)

    def as_state(self) -> State:
        """Return the tuple that stores keep."""
        return (self.index, self.current, self.previous)


@dataclass(frozen=True, slots=True)
class Window:
    """A sliding window's length and quota.

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

    def decide(self, state: State | None, now_us: int, cost: int, known: Known) -> Decision:
        """Decide a charge; the state is (index, current, previous)."""
        counts = self.counts(state, now_us, known)
        elapsed = self._elapsed(counts, now_us)
        room = self.room(counts, elapsed)
        allowed = cost <= room
        retry_after = 0 if allowed else self.retry_after_us(counts, elapsed, cost)
        kept = Counts(counts.index, counts.current + cost, counts.previous).as_state()
        return Decision(
            allowed,
            kept,
            LimitState(allowed, max(0, room - cost), retry_after, counts=kept),
            LimitState(allowed, room, retry_after, counts=counts.as_state()),
        )

    def counts(self, state: State | None, now_us: int, known: Known) -> Counts:
        """Bring what is stored and what the asker knows to the current window; of two tales the larger is true.

        A window that began by somebody else's clock stays the current one, however far behind ours is.
        """
        tales = [Counts(*tale) for tale in (state, known.counts) if tale]
        index = max([now_us // 1000 // self.window_ms, *(tale.index for tale in tales)])
        seen = [tale.at(index) for tale in tales]
        return Counts(index, max([0, *(tale.current for tale in seen)]), max([0, *(tale.previous for tale in seen)]))

    def room(self, counts: Counts, elapsed_ms: int) -> int:
        """Whole units that fit so many milliseconds into the window."""
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
        """Count more or fewer in the current window, never below nothing."""
        counts = self.counts(state, now_us, known)
        return Counts(counts.index, max(0, counts.current + units), counts.previous).as_state()

    def next_unit_us(self, state: LimitState, now_us: int) -> int:
        """Until the window ends: only then does its own count begin to fade."""
        index = state.counts[0] if state.counts else now_us // 1000 // self.window_ms
        return max(1000, (index + 1) * self.window_ms * 1000 - now_us)

    def kept_for_us(self, state: State, now_us: int) -> int:
        """Until the window after the next begins."""
        return max(0, (int(state[0]) + 2) * self.window_ms * 1000 - now_us)

    def evenly_used(self, state: State | None, now_us: int, known: Known) -> State:
        """Return the counts of a window of which a store knows too little: as if it had been used at an even pace.

        Then there is no room now, and it comes at that pace: what was counted elsewhere is counted twice by nobody.
        """
        counts = self.counts(state, now_us, known)
        even = Counts(
            counts.index, self.quota * min(self.window_ms, self._elapsed(counts, now_us)) // self.window_ms, self.quota
        )
        return Counts(counts.index, max(counts.current, even.current), max(counts.previous, even.previous)).as_state()

    def _elapsed(self, counts: Counts, now_us: int) -> int:
        return max(0, now_us // 1000 - counts.index * self.window_ms)

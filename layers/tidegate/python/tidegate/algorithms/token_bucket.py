"""The token bucket, as the Generic Cell Rate Algorithm.

GCRA (ITU-T I.371, ATM Forum TM 4.1, "virtual scheduling") keeps one number for a bucket: the theoretical
arrival time, TAT, at which the bucket would be full again. A request of cost n moves it by n emission
intervals; it is admitted if the moved TAT lies no further ahead than the bucket is deep. It is exact, has no
window whose edge lets twice the limit through, and needs no refill job.

All times are whole microseconds, so that Python, Lua's doubles (exact to 2^53 µs, the year 2255) and
DynamoDB's decimals compute the same numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from tidegate.algorithms.decision import NEVER, Decision, Known, LimitState, State


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket's size and speed.

    Attributes:
        interval_us: the emission interval: microseconds in which one token comes back.
        burst: the depth in tokens: what an idle caller may spend at once.
    """

    kind: ClassVar[str] = "b"

    interval_us: int
    burst: int

    @property
    def depth_us(self) -> int:
        """The burst as time: how long an empty bucket takes to fill (GCRA's tolerance)."""
        return self.interval_us * self.burst

    @property
    def numbers(self) -> tuple[int, int]:
        """Its two numbers, as scripts take them."""
        return self.interval_us, self.burst

    def decide(self, state: State | None, now_us: int, cost: int, known: Known) -> Decision:
        """Decide a charge; the state is the TAT alone."""
        taken = take(state[0] if state else None, now_us, self, cost, known.debt_us)
        base = start_of_debt(state[0] if state else None, now_us, known.debt_us)
        standing = LimitState(taken.allowed, tokens(base, now_us, self), taken.retry_after_us, base - now_us)
        after = LimitState(taken.allowed, taken.remaining, taken.retry_after_us, taken.tat_us - now_us)
        return Decision(taken.allowed, (taken.tat_us,), after, standing)

    def corrected(self, state: State | None, now_us: int, units: int, known: Known) -> State:
        """Move the TAT by as many intervals; nothing is owed to a bucket beyond full."""
        base = start_of_debt(state[0] if state else None, now_us, known.debt_us)
        return (max(now_us, base + units * self.interval_us),)

    def next_unit_us(self, state: LimitState, now_us: int) -> int:
        """One interval."""
        del state, now_us
        return self.interval_us

    def kept_for_us(self, state: State, now_us: int) -> int:
        """Until the bucket is full again."""
        return max(0, int(state[0]) - now_us)


class Taken(NamedTuple):
    """What became of one request for tokens.

    Attributes:
        allowed: whether the tokens were there.
        tat_us: the theoretical arrival time to store if the tokens are taken; epoch microseconds.
        remaining: whole tokens left after the decision.
        retry_after_us: microseconds until the same request could succeed; 0 if allowed, `NEVER` if its cost
            exceeds the bucket's depth.
    """

    allowed: bool
    tat_us: int
    remaining: int
    retry_after_us: int


def start_of_debt(tat_us: int | None, now_us: int, known_debt_us: int = 0) -> int:
    """Return the TAT that counts: the stored one, never in the past, and no richer than what the asker knows.

    A debt that the asker heard of, from another store or before this one lost its data, is as good as a stored
    one: of two TATs of the same bucket the later one is right, for a TAT is only ever moved forward.
    """
    return max(tat_us or 0, now_us + known_debt_us)


def take(tat_us: int | None, now_us: int, bucket: Bucket, cost: int = 1, known_debt_us: int = 0) -> Taken:
    """Decide one request for `cost` tokens.

    Args:
        tat_us: the stored theoretical arrival time, or None for a bucket that was never used.
        now_us: epoch microseconds.
        bucket: the bucket's size and speed.
        cost: tokens wanted, at least 0.
        known_debt_us: how far the asker knows the bucket to be from full, at least; microseconds.
    """
    base = start_of_debt(tat_us, now_us, known_debt_us)
    moved = base + cost * bucket.interval_us
    if moved - now_us <= bucket.depth_us:
        return Taken(allowed=True, tat_us=moved, remaining=tokens(moved, now_us, bucket), retry_after_us=0)
    wait = moved - now_us - bucket.depth_us if cost <= bucket.burst else NEVER
    return Taken(allowed=False, tat_us=base, remaining=tokens(base, now_us, bucket), retry_after_us=wait)


def tokens(tat_us: int, now_us: int, bucket: Bucket) -> int:
    """Return the whole tokens that a bucket with this TAT holds now."""
    return max(0, (bucket.depth_us - (tat_us - now_us)) // bucket.interval_us)

"""`TokenBucket`: a burst, then a steady rate.

Its rule is the Generic Cell Rate Algorithm. GCRA (ITU-T I.371, ATM Forum TM 4.1, "virtual scheduling") keeps one number
for a bucket: the theoretical arrival time, TAT, at which the bucket would be full again. A request of cost n moves it
by n emission intervals; it is admitted if the moved TAT lies no further ahead than the bucket is deep. It is exact, has
no window at whose edge twice the limit could pass, and needs no refill job.

All times are whole microseconds, so that Python, Lua's doubles (exact to 2^53 µs, the year 2255) and
DynamoDB's decimals compute the same numbers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

from tidegate.decision import LONGEST_DEBT_US, NEVER, Decision, Known, LimitState, QuickDecision, Rule, State
from tidegate.limits.limit import LARGEST_QUOTA, Limit, Rates
from tidegate.units import LONGEST_US


@dataclass(frozen=True, slots=True)
class TokenBucket(Limit):
    """A limit that lets a burst through and then a steady rate (a token bucket, kept as GCRA).

    Args:
        rate: tokens that come back in a period: `"20/s"`, `"5/min"`, `"10/30s"`; or `Tiers`, or a function of the
            `Caller` that returns such a text.
        burst: tokens that an idle caller may spend at once; the rate's count if left out.

    The other arguments are every `Limit`'s.

    Raises:
        ConfigurationError: the rate can't be read, or burst or cost is below 1.
    """

    rate: Rates
    burst: int | None = None
    bucket: Bucket = field(init=False)

    def __post_init__(self) -> None:
        Limit.__post_init__(self)
        rate = self._rate(self.rate)
        burst = rate.count if self.burst is None or self.by_caller else self.burst
        self._check_whole("burst", burst, "admits nothing", LARGEST_QUOTA)
        if rate.interval_us * burst > LONGEST_US:
            raise self._wrong("burst", f"{burst} takes over a century to fill; write less")
        object.__setattr__(self, "bucket", Bucket(rate.interval_us, burst))
        self._check_cost(f"write less, or burst={self.cost}")

    @property
    def numbers(self) -> str:
        """The rate."""
        return self._written(self.rate)

    @property
    def window_s(self) -> int:
        """The whole seconds in which the bucket fills."""
        return max(1, -(-self.bucket.depth_us // 1_000_000))

    @property
    def quota(self) -> int:
        """The units that fit into the window."""
        return max(self.bucket.burst, self.window_s * 1_000_000 // self.bucket.interval_us)

    def rule(self, now_us: int, zone: str | None = None) -> Rule:
        """Return the bucket."""
        del now_us, zone
        return self.bucket


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket's size and speed.

    Attributes:
        interval_us: the emission interval: microseconds in which one token comes back.
        burst: the depth in tokens, which an idle caller may spend at once.
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

    @property
    def most(self) -> int:
        """The burst."""
        return self.burst

    def decide(self, state: State | None, now_us: int, cost: int, known: Known) -> Decision:
        """Decide a charge; the state is the TAT alone."""
        taken = take(state[0] if state else None, now_us, self, cost, known.debt_us)
        base = start_of_debt(state[0] if state else None, now_us, known.debt_us)
        standing = LimitState(taken.allowed, tokens(base, now_us, self), taken.retry_after_us, base - now_us)
        after = LimitState(taken.allowed, taken.remaining, taken.retry_after_us, taken.tat_us - now_us)
        return Decision(taken.allowed, (taken.tat_us,), after, standing)

    def decide_quickly(self, state: State, now_us: int, cost: int, debt_us: int) -> QuickDecision:
        """Decide as `decide` does, with only the answer that holds."""
        interval = self.interval_us
        depth = interval * self.burst
        standing = max(state[0] - now_us, debt_us, 0)
        debt = standing + cost * interval
        if debt <= depth:
            tat = now_us + debt
            return LimitState(True, (depth - debt) // interval, 0, debt), (tat,), tat  # noqa: FBT003  a keyword costs time
        wait = debt - depth if cost <= self.burst else NEVER
        return LimitState(False, max(0, (depth - standing) // interval), wait, standing), state, 0  # noqa: FBT003

    def corrected(self, state: State | None, now_us: int, units: int, known: Known) -> State:
        """Move the TAT by so many intervals, within the bounds of `moved`."""
        base = start_of_debt(state[0] if state else None, now_us, known.debt_us)
        return (moved(base, now_us, units * self.interval_us, self.depth_us),)

    def next_unit_us(self, state: LimitState, now_us: int) -> int:
        """One interval."""
        del state, now_us
        return self.interval_us

    def kept_for_us(self, state: State, now_us: int) -> int:
        """Until the bucket is full again."""
        return max(0, int(state[0]) - now_us)


class Taken(NamedTuple):
    """The decision on one request for tokens.

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


def start_of_debt(tat_us: int | None, now_us: int, min_deficit_us: int = 0) -> int:
    """Return the TAT that counts: the stored one or the carried one, whichever is later, and never in the past.

    A debt from the carried state, of another store or of this one before it lost its data, is as good as a stored one.
    Of two TATs of the same bucket the later one is right, because a TAT is only moved forward.
    """
    return max(tat_us or 0, now_us + min_deficit_us)


def moved(tat_us: int, now_us: int, by_us: int, depth_us: int) -> int:
    """Return a corrected TAT: never in the past, and at most `LONGEST_DEBT_US` beyond an empty bucket's."""
    if by_us > 0:
        return max(tat_us, min(tat_us + by_us, now_us + depth_us + LONGEST_DEBT_US))
    return max(now_us, tat_us + by_us)


def take(tat_us: int | None, now_us: int, bucket: Bucket, cost: int = 1, min_deficit_us: int = 0) -> Taken:
    """Decide one request for `cost` tokens.

    Args:
        tat_us: the stored theoretical arrival time, or None for a bucket that was never used.
        now_us: epoch microseconds.
        bucket: the bucket's size and speed.
        cost: tokens wanted, at least 0.
        min_deficit_us: the least time until the bucket is full, by the carried state; microseconds.
    """
    base = start_of_debt(tat_us, now_us, min_deficit_us)
    after = base + cost * bucket.interval_us
    if after - now_us <= bucket.depth_us:
        return Taken(allowed=True, tat_us=after, remaining=tokens(after, now_us, bucket), retry_after_us=0)
    wait = after - now_us - bucket.depth_us if cost <= bucket.burst else NEVER
    return Taken(allowed=False, tat_us=base, remaining=tokens(base, now_us, bucket), retry_after_us=wait)


def tokens(tat_us: int, now_us: int, bucket: Bucket) -> int:
    """Return the whole tokens that a bucket with this TAT holds now."""
    return max(0, (bucket.depth_us - (tat_us - now_us)) // bucket.interval_us)

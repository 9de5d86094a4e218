"""`TokenBucket`: a burst, then a steady rate."""

from __future__ import annotations

from dataclasses import dataclass, field

from tidegate.algorithms.decision import Rule
from tidegate.algorithms.token_bucket import Bucket
from tidegate.limits.limit import LARGEST_QUOTA, Limit
from tidegate.units import LONGEST_US


@dataclass(frozen=True, slots=True)
class TokenBucket(Limit):
    """A limit that lets a burst through and then a steady rate (a token bucket, kept as GCRA).

    Args:
        rate: tokens that come back in a period: `"20/s"`, `"5/min"`, `"10/30s"`.
        burst: tokens that an idle caller may spend at once; the rate's count if left out.

    The other arguments are every `Limit`'s.

    Raises:
        ConfigurationError: the rate can't be read, or burst or cost is below 1.
    """

    rate: str
    burst: int | None = None
    bucket: Bucket = field(init=False)

    def __post_init__(self) -> None:
        Limit.__post_init__(self)
        rate = self._rate(self.rate)
        burst = rate.count if self.burst is None else self.burst
        if burst < 1:
            raise self._wrong("burst", f"{burst} admits nothing; write 1 or more")
        if rate.interval_us * burst > LONGEST_US or burst > LARGEST_QUOTA:
            raise self._wrong("burst", f"{burst} takes over a century to fill; write less")
        object.__setattr__(self, "bucket", Bucket(rate.interval_us, burst))

    @property
    def numbers(self) -> str:
        """The rate."""
        return "".join(self.rate.split())

    @property
    def window_s(self) -> int:
        """The seconds in which the bucket fills."""
        return max(1, -(-self.bucket.depth_us // 1_000_000))

    @property
    def quota(self) -> int:
        """As many units as fit into the seconds in which the bucket fills."""
        return max(self.bucket.burst, self.window_s * 1_000_000 // self.bucket.interval_us)

    def rule(self, now_us: int, zone: str | None = None) -> Rule:
        """Return the bucket."""
        del now_us, zone
        return self.bucket

"""`SlidingWindow`: so many within any stretch of time."""

from __future__ import annotations

from dataclasses import dataclass, field

from tidegate.algorithms.decision import Rule
from tidegate.algorithms.sliding_window import LARGEST_PRODUCT, Window
from tidegate.limits.limit import Limit


@dataclass(frozen=True, slots=True)
class SlidingWindow(Limit):
    """A limit on the units within any stretch of time (a sliding window counter).

    Args:
        rate: units and the window's length: `"100/s"`, `"1000/h"`.

    The other arguments are every `Limit`'s.

    Raises:
        ConfigurationError: the rate can't be read, or the window is no whole number of milliseconds, or too large.
    """

    rate: str
    window: Window = field(init=False)

    def __post_init__(self) -> None:
        Limit.__post_init__(self)
        rate = self._rate(self.rate)
        if rate.period_us % 1000:
            raise self._wrong("rate", f"{self.rate!r} has a window of broken milliseconds; write whole ones")
        if rate.period_us // 1000 * rate.count > LARGEST_PRODUCT:
            raise self._wrong("rate", f"{self.rate!r} can't be counted exactly; write a Quota or a TokenBucket")
        object.__setattr__(self, "window", Window(rate.period_us // 1000, rate.count))

    @property
    def numbers(self) -> str:
        """The rate."""
        return "".join(self.rate.split())

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

"""`Concurrency`: so many at the same time."""

from __future__ import annotations

from dataclasses import dataclass, field

from tidegate.algorithms.concurrency import Slots
from tidegate.algorithms.decision import Rule
from tidegate.limits.limit import Limit


@dataclass(frozen=True, slots=True)
class Concurrency(Limit):
    """A limit on requests at the same time.

    Args:
        slots: how many.
        lease: after how long without a sign of life a dead holder's slot is free again; a living one renews it.

    The other arguments are every `Limit`'s; the cost is always one slot.

    Raises:
        ConfigurationError: slots or cost isn't at least 1, or the lease can't be read or is below a second.
    """

    slots: int
    lease: str = "30s"
    leased: Slots = field(init=False)

    def __post_init__(self) -> None:
        Limit.__post_init__(self)
        if self.slots < 1:
            raise self._wrong("slots", f"{self.slots} admits nothing; write 1 or more")
        if self.cost != 1:
            raise self._wrong("cost", "a request takes one slot; leave it out")
        lease_us = self._duration_us("lease", self.lease)
        if lease_us < 1_000_000:
            raise self._wrong("lease", f"{self.lease!r} ends before a holder can renew it; write at least '1s'")
        object.__setattr__(self, "leased", Slots(self.slots, lease_us))

    @property
    def of_the_moment(self) -> bool:
        """Always: each request holds a slot of its own."""
        return True

    @property
    def numbers(self) -> str:
        """The slots."""
        return f"{self.slots}-at-once"

    @property
    def window_s(self) -> int:
        """None: slots have no window."""
        return 0

    @property
    def quota(self) -> int:
        """The slots."""
        return self.slots

    def rule(self, now_us: int, zone: str | None = None) -> Rule:
        """Return the slots."""
        del now_us, zone
        return self.leased

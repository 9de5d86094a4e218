"""`Concurrency`: so many requests at the same time.

Each request holds a slot on a lease. The slot is freed when its request settles, or, if its holder dies, when the lease
ends. A holder that runs for longer renews its lease (a heartbeat). Source: Gray and Cheriton, "Leases" (SOSP 1989).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from tidegate.decision import MOST_UNITS, Decision, Known, LimitState, Rule, State
from tidegate.limits.limit import Limit

# A store keeps an entry for each holder, so the number is bounded; no fleet runs more at the same time.
MOST_SLOTS = 1_000_000
LONGEST_LEASE_US = 24 * 3_600_000_000


@dataclass(frozen=True, slots=True)
class Concurrency(Limit):
    """A limit on requests at the same time.

    Args:
        slots: how many requests.
        lease: after how long without a renewal a slot is free again, as its holder must be dead.

    The other arguments are every `Limit`'s; the cost is always one slot.

    Raises:
        ConfigurationError: slots or cost isn't at least 1, or the lease can't be read or is below a second.
    """

    slots: int
    lease: str = "30s"
    leased: Slots = field(init=False)

    def __post_init__(self) -> None:
        Limit.__post_init__(self)
        self._check_whole("slots", self.slots, "admits nothing", MOST_SLOTS)
        if self.cost != 1:
            raise self._wrong("cost", "a request takes one slot; leave it out")
        lease_us = self._duration_us("lease", self.lease)
        if lease_us < 1_000_000:
            raise self._wrong("lease", f"{self.lease!r} ends before a holder can renew it; write at least '1s'")
        if lease_us > LONGEST_LEASE_US:
            raise self._wrong("lease", f"{self.lease!r} keeps a dead holder's slot for too long; write at most '24h'")
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
        """0: slots have no window."""
        return 0

    @property
    def quota(self) -> int:
        """The slots."""
        return self.slots

    def rule(self, now_us: int, zone: str | None = None) -> Rule:
        """Return the slots."""
        del now_us, zone
        return self.leased


@dataclass(frozen=True, slots=True)
class Slots:
    """The number of slots, and the length of their leases.

    Attributes:
        slots: requests at the same time.
        lease_us: microseconds without a renewal after which a slot is free again.
    """

    kind: ClassVar[str] = "c"

    slots: int
    lease_us: int

    @property
    def numbers(self) -> tuple[int, int]:
        """Its two numbers, as scripts take them."""
        return self.slots, self.lease_us

    @property
    def most(self) -> int:
        """No bound, because a request takes one slot whatever its cost."""
        return MOST_UNITS

    def decide(self, state: State | None, now_us: int, cost: int, known: Known) -> Decision:
        """Take a slot, or renew the holder's own; the state is pairs of (holder, lease's end in epoch microseconds)."""
        del cost
        others = tuple(held for held in self.alive(state, now_us) if held[0] != known.holder)
        free = self.slots - len(others)
        if free <= 0:
            ends = min((end for _, end in others), default=now_us + self.lease_us)
            refused = LimitState(allowed=False, remaining=0, retry_after_us=max(1, ends - now_us))
            return Decision(allowed=False, kept=others, charged=refused, uncharged=refused)
        kept = (*others, (known.holder, now_us + self.lease_us))
        taken = LimitState(allowed=True, remaining=free - 1, retry_after_us=0)
        return Decision(allowed=True, kept=kept, charged=taken, uncharged=taken._replace(remaining=free))

    def alive(self, state: State | None, now_us: int) -> State:
        """Return the slots whose leases haven't ended."""
        return tuple((holder, end) for holder, end in state or () if end > now_us)

    def corrected(self, state: State | None, now_us: int, units: int, known: Known) -> State:
        """Free the holder's slot (a negative correction), or renew its lease, whether or not it still has one.

        A holder whose lease has ended is still running, so it counts even beyond the limit.
        """
        others = tuple(held for held in self.alive(state, now_us) if held[0] != known.holder)
        return others if units < 0 else (*others, (known.holder, now_us + self.lease_us))

    def next_unit_us(self, state: LimitState, now_us: int) -> int:
        """0: it isn't known when a holder ends."""
        del state, now_us
        return 0

    def kept_for_us(self, state: State, now_us: int) -> int:
        """Until the last lease ends."""
        return max([0, *(int(end) - now_us for _, end in state)])

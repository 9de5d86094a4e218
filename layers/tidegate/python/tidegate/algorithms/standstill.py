"""How long Redis' buckets stood still, because the fleet was on its fallback meanwhile.

Two stores that each hold a bucket admit no more than one of them if their clocks never run at the same time. So the
time that the fleet was away is taken off the clock by which Redis' buckets refill. An environment that lost Redis says
at its return for how long it was away. Since the latest sign of life of anybody the whole fleet was away, and all of it
counts; before that, Redis served the others, and of this environment's absence its share of the fleet counts.

For a moment after a return others may still be on the fallback: the clock is held for as long as the fleet was away,
at most until the slowest of them has to be back, and then goes on as if it hadn't been.
"""

from __future__ import annotations

from typing import NamedTuple

# The breaker's longest pause, and the decisions at both of its ends.
SPREAD_US = 1_200_000
# Redis keeps a bucket for so long after it is full again: a shorter standstill can't make it forget a debt.
KEPT_LONGER_US = 60_000_000


class Absence(NamedTuple):
    """What an environment says when it comes back.

    Attributes:
        away_us: how long ago it, or the fleet as far as it knows, lost Redis; 0: it wasn't away.
        used_us: how much of that it was awake.
    """

    away_us: int = 0
    used_us: int = 0


class Standstill(NamedTuple):
    """What Redis keeps of the fleet's absences; times are the server's, in epoch microseconds.

    Attributes:
        life: when this was begun: it tells one life of the server's memory from the next.
        stood_us: for how long the buckets' clock has stood still, in all.
        seen_us: the latest sign of life of anybody.
        back_us: the latest return.
        held_from_us, held_until_us: while the clock is held.
        growing_us: of `stood_us`, what came since `born_us`.
        born_us: on the buckets' clock: a bucket that isn't kept held one token then; 0: it is full.
    """

    life: int
    stood_us: int = 0
    seen_us: int = 0
    back_us: int = 0
    held_from_us: int = 0
    held_until_us: int = 0
    growing_us: int = 0
    born_us: int = 0

    def now_us(self, server_us: int) -> int:
        """Return the time on the buckets' clock."""
        held = server_us < self.held_until_us
        return (self.held_from_us if held else server_us) - self.stood_us

    def returned(self, server_us: int, absence: Absence, environments: int) -> Standstill:
        """Take off the clock what an environment's absence counts."""
        away = max(server_us - absence.away_us, self.back_us)
        seen = min(server_us, max(away, self.seen_us))
        stood = server_us - seen + min(seen - away, absence.used_us) // environments
        grown = self.growing_us + stood
        if server_us < self.held_until_us:  # held already: it stays where it is
            held_from, held_until = self.held_from_us + stood, self.held_until_us
        else:
            held_from = server_us
            held_until = server_us + min(SPREAD_US, server_us - seen) if environments > 1 else server_us
        came = self._replace(
            stood_us=self.stood_us + stood,
            seen_us=server_us,
            back_us=server_us,
            held_from_us=held_from,
            held_until_us=held_until,
            growing_us=grown,
        )
        return came if grown < KEPT_LONGER_US else came._replace(growing_us=0, born_us=came.now_us(server_us))

    def after_loss(self, server_us: int) -> Standstill:
        """Begin anew for a server that has lost its memory, as somebody knows who remembers an earlier life of it."""
        return Standstill(
            self.life or server_us, 0, server_us, server_us, server_us, server_us + SPREAD_US, 0, server_us
        )

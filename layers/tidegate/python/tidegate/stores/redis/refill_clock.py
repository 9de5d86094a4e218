"""The refill clock, by which Redis' buckets refill: it stands still while the fleet is on its fallback.

Two stores that each hold a bucket together admit no more than one, if their clocks never run at the same time. So the
time of an outage is subtracted from the refill clock. An environment that lost Redis reports at its return how long it
was away. The time since the last sign of life of any environment counts in full, since the whole fleet was away then.
Before that Redis served the other environments, so only this environment's share of its absence counts: one Nth, in a
fleet of N.

For a moment after a return other environments may still be on the fallback. Meanwhile the clock is held. The hold lasts
as long as the fleet was away, but at most until the slowest environment must be back. Then the clock jumps to the time
that it would show without the hold.
"""

from __future__ import annotations

from typing import NamedTuple

# The breaker's longest pause, plus the decisions before and after it.
SPREAD_US = 1_200_000
# Redis keeps a bucket for so long after it is full again, so that no debt expires in a shorter standstill.
KEPT_LONGER_US = 60_000_000


class OutageReport(NamedTuple):
    """An environment's report of its outage, sent when it returns to Redis.

    Attributes:
        away_us: microseconds since it lost Redis, or since the fleet did if that is known to be earlier; 0: no outage.
        used_us: microseconds of these in which it wasn't frozen.
    """

    away_us: int = 0
    used_us: int = 0


class PausableClock(NamedTuple):
    """The state of the refill clock, as Redis keeps it; moments are the server's, in epoch microseconds.

    Attributes:
        life: when this state began: a server that loses its memory begins another life.
        paused_us: for how long the refill clock has stood still, in all.
        seen_us: the latest sign of life of any environment.
        back_us: the latest return of an environment.
        held_from_us, held_until_us: the span in which the clock is held.
        growing_us: the part of `paused_us` that was added since `born_us`.
        born_us: a moment on the refill clock: a bucket that Redis doesn't keep held one token then; 0: it is full.
    """

    life: int
    paused_us: int = 0
    seen_us: int = 0
    back_us: int = 0
    held_from_us: int = 0
    held_until_us: int = 0
    growing_us: int = 0
    born_us: int = 0

    def now_us(self, server_us: int) -> int:
        """Return the time on the refill clock."""
        held = server_us < self.held_until_us
        return (self.held_from_us if held else server_us) - self.paused_us

    def returned(self, server_us: int, absence: OutageReport, environments: int) -> PausableClock:
        """Subtract an environment's outage from the clock.

        Args:
            server_us: the server's time now; epoch microseconds.
            absence: the environment's report.
            environments: the fleet's size.
        """
        away = max(server_us - absence.away_us, self.back_us)
        seen = min(server_us, max(away, self.seen_us))
        paused = server_us - seen + min(seen - away, absence.used_us) // environments
        grown = self.growing_us + paused
        if server_us < self.held_until_us:  # held already: the clock keeps showing the same time
            held_from, held_until = self.held_from_us + paused, self.held_until_us
        else:
            held_from = server_us
            held_until = server_us + min(SPREAD_US, server_us - seen) if environments > 1 else server_us
        came = self._replace(
            paused_us=self.paused_us + paused,
            seen_us=server_us,
            back_us=server_us,
            held_from_us=held_from,
            held_until_us=held_until,
            growing_us=grown,
        )
        return came if grown < KEPT_LONGER_US else came._replace(growing_us=0, born_us=came.now_us(server_us))

    def after_loss(self, server_us: int) -> PausableClock:
        """Begin anew for a server that has lost its memory, as an environment found that remembers an earlier life."""
        return PausableClock(
            self.life or server_us, 0, server_us, server_us, server_us, server_us + SPREAD_US, 0, server_us
        )

"""Whom to refuse when capacity is short: from demand and waits to a pressure, from a pressure to principals.

A pressure is 0 when all may pass and 1 when none may. Each criticality has a band of it, the least critical the
lowest, so the next one is touched only after all of the one before is refused. Within its band a criticality is
refused by a share of its principals, which grows with the pressure, not by a throw of dice at each request: a client
that makes ten calls for one result gets ten answers or none.

Demand is counted in requests that would be in flight if all were admitted, by Little's law: the work that arrives in
a second, in seconds. It doesn't depend on what is refused, so there is no feedback that could swing.

Sources: Zhou et al., "Overload Control for Scaling WeChat Microservices" (DAGOR), SoCC 2018, for the order by
criticality, then by a hash of the user that changes slowly; Beyer et al., "Site Reliability Engineering", chapter 21,
for criticalities; Little, "A Proof for the Queuing Formula L = λW", 1961.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from hashlib import blake2b
from types import MappingProxyType
from typing import NamedTuple

from tidegate.criticality import Criticality

# The pressures at which a criticality begins to be refused, and is refused altogether.
BANDS: Mapping[Criticality, tuple[float, float]] = MappingProxyType(
    {"sheddable": (0.0, 0.4), "normal": (0.4, 0.8), "critical": (0.8, 1.0)}
)
# What tells nothing of capacity itself, a wait or a slow neighbour, goes so far and touches nothing critical.
BELOW_CRITICAL = BANDS["critical"][0]
EPOCH_S = 600


class Demand(NamedTuple):
    """How many requests of each criticality would be in flight if all were admitted."""

    critical: float = 0.0
    normal: float = 0.0
    sheddable: float = 0.0

    def after(self, elapsed_s: float, window_s: float, work: Demand) -> Demand:
        """Let some time pass in which work arrived.

        Args:
            elapsed_s: seconds since this was the demand.
            window_s: over which it is averaged, the older the less.
            work: seconds of work that arrived; negative takes back what turned out to be none.
        """
        fade = math.exp(-max(0.0, elapsed_s) / window_s)
        return Demand(
            max(0.0, self.critical * fade + work.critical / window_s),
            max(0.0, self.normal * fade + work.normal / window_s),
            max(0.0, self.sheddable * fade + work.sheddable / window_s),
        )

    def plus(self, criticality: Criticality, seconds: float) -> Demand:
        """Add work to one criticality."""
        critical, normal, sheddable = self
        if criticality == "critical":
            return Demand(critical + seconds, normal, sheddable)
        if criticality == "normal":
            return Demand(critical, normal + seconds, sheddable)
        return Demand(critical, normal, sheddable + seconds)

    def times(self, environments: float) -> Demand:
        """Return it for so many environments that are all like this one."""
        return Demand(*(each * environments for each in self))


def pressure_of(demand: Demand, room: float) -> float:
    """Return the least pressure under which no more than `room` requests are in flight.

    Args:
        demand: what wants to be.
        room: requests at once.
    """
    excess = sum(demand) - room
    if excess <= 0:
        return 0.0
    for criticality, (begins, ends) in BANDS.items():
        wanted = getattr(demand, criticality)
        if excess <= wanted:
            return float(begins + (ends - begins) * excess / wanted)
        excess -= wanted
    return 1.0


def ramp(value: float, low: float, high: float) -> float:
    """Return 0 up to `low`, 1 from `high` on, and what is between in proportion."""
    if value <= low:
        return 0.0
    return 1.0 if value >= high else (value - low) / (high - low)


def refused_share(pressure: float, criticality: Criticality) -> float:
    """Return the share of a criticality's principals that is refused, 0 to 1."""
    return ramp(pressure, *BANDS[criticality])


def place_of(principal: str, now_s: float) -> float:
    """Return a principal's place in the order of refusal, from 0 (the first to go) to below 1.

    It stays for `EPOCH_S`, so that a client isn't cut in mid-flow, and changes then, so that it isn't always the same
    one; not everybody's at the same moment.

    Args:
        principal: who asks.
        now_s: seconds since the Unix epoch, the same in all environments but for their clocks' difference.
    """
    name = principal.encode("utf-8", "surrogatepass")
    epoch = int((now_s + _number(name) % EPOCH_S) // EPOCH_S)
    return (_number(b"%d:%b" % (epoch, name)) >> 11) * 2**-53  # a float can't hold more than 53 bits


def _number(of: bytes) -> int:
    return int.from_bytes(blake2b(of, digest_size=8).digest(), "big")


class Average(NamedTuple):
    """An average of what was seen, the newest counting most, that is forgotten if nothing new comes.

    Attributes:
        value: the average when it was last touched.
        at_s: when that was.
    """

    value: float = 0.0
    at_s: float = -math.inf

    def with_sample(self, sample: float, now_s: float, weight: float) -> Average:
        """Take a sample in; the first one counts whole."""
        if self.at_s == -math.inf:
            return Average(sample, now_s)
        return Average(self.value + (sample - self.value) * weight, now_s)

    def at(self, now_s: float, half_life_s: float) -> float:
        """Return the average as far as it is still believed.

        What is refused because something was slow yields no new samples: believed forever, it would be refused
        forever.
        """
        if self.at_s == -math.inf:
            return 0.0
        return float(self.value * 0.5 ** (max(0.0, now_s - self.at_s) / half_life_s))

    def reaches(self, level: float, now_s: float, half_life_s: float) -> bool:
        """Whether it is believed to be so high; what never was isn't worth the arithmetic."""
        return self.value >= level and self.at(now_s, half_life_s) >= level

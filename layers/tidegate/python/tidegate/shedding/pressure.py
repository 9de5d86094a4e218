"""The choice of requests to refuse: demand and waits make a pressure, and a pressure refuses principals.

A pressure is 0 when all may pass and 1 when none may. Each criticality has a band of it, the least critical the lowest.
So a criticality is touched only after all less critical requests are refused. Within its band, a growing share of its
principals is refused, and not each request at random: a client that needs ten calls for one result gets all ten
responses or none.

Demand is counted in requests that would be in flight if all were admitted (see `shedding.demand`).

Sources: Zhou et al., "Overload Control for Scaling WeChat Microservices" (DAGOR), SoCC 2018, for the order by
criticality, then by a hash of the user that changes slowly; Beyer et al., "Site Reliability Engineering", chapter 21,
for criticalities.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from hashlib import blake2b
from types import MappingProxyType
from typing import NamedTuple

from tidegate.criticality import Criticality

# The pressures at which a criticality begins to be refused, and from which all of it is.
BANDS: Mapping[Criticality, tuple[float, float]] = MappingProxyType(
    {"sheddable": (0.0, 0.4), "normal": (0.4, 0.8), "critical": (0.8, 1.0)}
)
# The highest pressure of signals that don't measure capacity itself, such as waits: they refuse nothing critical.
BELOW_CRITICAL = BANDS["critical"][0]
EPOCH_S = 600
# How fast a pressure falls, and for how long the least critical stay refused once all others are admitted.
FALLS_PER_S = 2.0
WAITS_S = 1.0
_LAST_BAND = BANDS["sheddable"][1]


class Demand(NamedTuple):
    """How many requests of each criticality would be in flight if all were admitted."""

    critical: float = 0.0
    normal: float = 0.0
    sheddable: float = 0.0

    def plus(self, criticality: Criticality, seconds: float) -> Demand:
        """Return it with more demand of one criticality."""
        critical, normal, sheddable = self
        if criticality == "critical":
            return Demand(critical + seconds, normal, sheddable)
        if criticality == "normal":
            return Demand(critical, normal + seconds, sheddable)
        return Demand(critical, normal, sheddable + seconds)

    def times(self, environments: float) -> Demand:
        """Return the demand of so many environments like this one."""
        return Demand(*(each * environments for each in self))


def pressure_of(demand: Demand, room: float, doubt: float = 0.0) -> float:
    """Return the least pressure under which no more than `room` requests are in flight.

    Args:
        demand: requests that would be in flight if all were admitted.
        room: requests that may be in flight.
        doubt: the demand's standard error.
    """
    excess = _beyond_doubt(sum(demand) - room, doubt)
    if excess <= 0:
        return 0.0
    for criticality, (begins, ends) in BANDS.items():
        wanted = getattr(demand, criticality)
        if excess <= wanted:
            return float(begins + (ends - begins) * excess / wanted)
        excess -= wanted
    return 1.0


class Falling(NamedTuple):
    """A pressure that rises at once and falls gradually.

    The demand of a criticality that was wholly refused is unknown. Admitted gradually, it is measured before all of it
    is back. The least critical requests stay refused for `WAITS_S` longer, so that the others' demand is measured
    first.

    Attributes:
        pressure: the last pressure.
        at_s: its time, in seconds of a monotonic clock.
        lifted_s: since when all but the least critical are admitted.
    """

    pressure: float = 0.0
    at_s: float = 0.0
    lifted_s: float = 0.0

    def to(self, pressure: float, now_s: float) -> Falling:
        """Return the pressure after a step towards another one."""
        if pressure >= self.pressure:
            return Falling(pressure, now_s, now_s)
        floor = _LAST_BAND if now_s - self.lifted_s < WAITS_S and self.pressure >= _LAST_BAND else 0.0
        falls_to = max(pressure, floor, self.pressure - (now_s - self.at_s) * FALLS_PER_S)
        return Falling(falls_to, now_s, now_s if falls_to > _LAST_BAND else self.lifted_s)


def _beyond_doubt(excess: float, doubt: float) -> float:
    """Return the part of an excess that counts: none up to one standard error, all of it from two on."""
    return min(excess, 2 * (excess - doubt))


def ramp(value: float, low: float, high: float) -> float:
    """Return 0 up to `low`, 1 from `high` on, and interpolate linearly between them."""
    if value <= low:
        return 0.0
    return 1.0 if value >= high else (value - low) / (high - low)


def refused_share(pressure: float, criticality: Criticality) -> float:
    """Return the share of a criticality's principals that is refused, 0 to 1."""
    return ramp(pressure, *BANDS[criticality])


def place_of(principal: str, now_s: float, secret: bytes = b"") -> float:
    """Return a principal's place in the order of refusal, from 0 (refused first) to below 1.

    It stays the same for `EPOCH_S`, so that a client isn't cut off in the middle of its work. Then it changes, so that
    the same clients aren't always refused; principals change at different moments. Without the secret it can't be
    computed.

    Args:
        principal: the caller's.
        now_s: seconds since the Unix epoch, the same in all environments but for their clocks' difference.
        secret: known to all environments and to no client; at most 64 bytes.
    """
    name = principal.encode("utf-8", "surrogatepass")
    epoch = int((now_s + _number(name, secret) % EPOCH_S) // EPOCH_S)
    return (_number(b"%d:%b" % (epoch, name), secret) >> 11) * 2**-53  # a float can't hold more than 53 bits


def _number(of: bytes, secret: bytes) -> int:
    return int.from_bytes(blake2b(of, digest_size=8, key=secret).digest(), "big")


class Average(NamedTuple):
    """An exponentially weighted average that fades if no new samples come.

    Attributes:
        value: the average after its last sample.
        at_s: the time of that sample, in seconds of a monotonic clock.
    """

    value: float = 0.0
    at_s: float = -math.inf

    def with_sample(self, sample: float, now_s: float, weight: float) -> Average:
        """Return the average with one more sample; the first one counts whole."""
        if self.at_s == -math.inf:
            return Average(sample, now_s)
        return Average(self.value + (sample - self.value) * weight, now_s)

    def at(self, now_s: float, half_life_s: float) -> float:
        """Return the faded average.

        Requests that are refused because of a high average yield no new samples: without fading they would be refused
        for ever.
        """
        if self.at_s == -math.inf:
            return 0.0
        return float(self.value * 0.5 ** (max(0.0, now_s - self.at_s) / half_life_s))

    def reaches(self, level: float, now_s: float, half_life_s: float) -> bool:
        """Whether the faded average reaches a level; if its unfaded value doesn't, the power isn't computed."""
        return self.value >= level and self.at(now_s, half_life_s) >= level

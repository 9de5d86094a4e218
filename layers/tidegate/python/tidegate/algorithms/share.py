"""One environment's fair share of a limit, when no shared store answers and each must enforce its part alone.

The shares add up to the limit and are paced: nobody starts with a burst, since the stores may have given it, and the
environments' first tokens follow one another at the limit's own interval, by rank.
"""

from __future__ import annotations

from dataclasses import replace
from functools import singledispatch
from typing import NamedTuple

from tidegate.algorithms.concurrency import Slots
from tidegate.algorithms.decision import Known, Rule
from tidegate.algorithms.leaky_bucket import Drain
from tidegate.algorithms.quota import Period
from tidegate.algorithms.sliding_window import Window
from tidegate.algorithms.token_bucket import Bucket


class Share(NamedTuple):
    """Whose share, since when.

    Attributes:
        environments: how many share; above 1.
        rank: this one's place among them, from 0.
        since_us: when the shares began to count; epoch microseconds.
    """

    environments: int
    rank: int
    since_us: int

    def of(self, units: int) -> int:
        """Divide whole units: what is left over goes to the first ranks."""
        return units // self.environments + (self.rank < units % self.environments)


class Part(NamedTuple):
    """A share of a limit.

    Attributes:
        rule: the share's own numbers.
        debt_us: how far a bucket is from full now, at least.
    """

    rule: Rule
    debt_us: int = 0


@singledispatch
def part_of(rule: Rule, share: Share, now_us: int, cost: int, known: Known) -> Part:  # noqa: ARG001  the others read them
    """Return the share of a limit, deep enough for a cost that the whole limit would admit.

    Args:
        rule: the whole limit.
        share: whose share.
        now_us: epoch microseconds.
        cost: units that are wanted.
        known: what was known of the limit when the shares began to count.
    """
    raise TypeError(f"{rule!r} can't be shared")


@part_of.register
def _(rule: Bucket, share: Share, now_us: int, cost: int, known: Known) -> Part:
    del known
    burst = max(1, rule.burst // share.environments, min(cost, rule.burst))
    part = Bucket(rule.interval_us * share.environments, burst)
    first_us = share.since_us + (share.rank + 1) * rule.interval_us
    return Part(part, max(0, first_us - part.interval_us + part.depth_us - now_us))


@part_of.register
def _(rule: Window, share: Share, now_us: int, cost: int, known: Known) -> Part:
    interval_us = -(-rule.window_ms * 1000 // rule.quota)
    return part_of(Bucket(interval_us, rule.quota), share, now_us, cost, known)


@part_of.register
def _(rule: Drain, share: Share, now_us: int, cost: int, known: Known) -> Part:
    del cost, known
    first_us = share.since_us + (share.rank + 1) * rule.interval_us
    return Part(Drain(rule.interval_us * share.environments, rule.max_wait_us), max(0, first_us - now_us))


@part_of.register
def _(rule: Period, share: Share, now_us: int, cost: int, known: Known) -> Part:
    del now_us, cost
    _, used = rule.used(None, known)
    return Part(replace(rule, quota=min(rule.quota, used + share.of(max(0, rule.quota - used)))))


@part_of.register
def _(rule: Slots, share: Share, now_us: int, cost: int, known: Known) -> Part:
    del now_us, cost, known
    return Part(replace(rule, slots=share.of(rule.slots)))

"""One environment's share of a limit while no shared store answers and each environment enforces its part alone.

The shares add up to the limit and are paced. No share starts with a burst, since the stores may have given it already.
The environments' first tokens follow one another at the limit's own interval, by rank.
"""

from __future__ import annotations

from dataclasses import replace
from functools import singledispatch
from typing import NamedTuple

from tidegate.decision import Known, Rule
from tidegate.limits.concurrency import Slots
from tidegate.limits.leaky_bucket import Drain
from tidegate.limits.quota import Period
from tidegate.limits.sliding_window import Window
from tidegate.limits.sliding_window_counter import WindowCounter
from tidegate.limits.token_bucket import Bucket


class Share(NamedTuple):
    """The part of one environment, and when it began.

    Attributes:
        environments: how many share; above 1.
        rank: this environment's rank among them, from 0.
        since_us: when the shares began to count; epoch microseconds.
    """

    environments: int
    rank: int
    since_us: int

    def of(self, units: int) -> int:
        """Divide whole units; the remainder goes to the lowest ranks."""
        return units // self.environments + (self.rank < units % self.environments)


class ScaledRule(NamedTuple):
    """A share of a limit.

    Attributes:
        rule: the rule with the share's own numbers.
        debt_us: the least time until the bucket is full, in microseconds.
    """

    rule: Rule
    debt_us: int = 0


@singledispatch
def scaled_rule(rule: Rule, share: Share, now_us: int, cost: int, known: Known) -> ScaledRule:  # noqa: ARG001  the others read them
    """Return the share of a limit, deep enough for a cost that the whole limit would admit.

    Args:
        rule: the whole limit's.
        share: the environment's part.
        now_us: epoch microseconds.
        cost: units of the charge.
        known: the carried state of the limit when the shares began.
    """
    raise TypeError(f"{rule!r} can't be shared")


@scaled_rule.register
def _(rule: Bucket, share: Share, now_us: int, cost: int, known: Known) -> ScaledRule:
    del known
    burst = max(1, rule.burst // share.environments, min(cost, rule.burst))
    part = Bucket(rule.interval_us * share.environments, burst)
    first_us = share.since_us + (share.rank + 1) * rule.interval_us
    return ScaledRule(part, max(0, first_us - part.interval_us + part.depth_us - now_us))


@scaled_rule.register(Window)
@scaled_rule.register(WindowCounter)
def _(rule: Window | WindowCounter, share: Share, now_us: int, cost: int, known: Known) -> ScaledRule:
    interval_us = -(-rule.window_ms * 1000 // rule.quota)
    return scaled_rule(Bucket(interval_us, rule.quota), share, now_us, cost, known)


@scaled_rule.register
def _(rule: Drain, share: Share, now_us: int, cost: int, known: Known) -> ScaledRule:
    del known
    first_us = share.since_us + (share.rank + 1) * rule.interval_us
    interval_us = rule.interval_us * share.environments
    # A request of a high cost takes as many times longer here as there are environments, so the wait has to be longer.
    deep_enough_us = max(rule.max_wait_us, (min(cost, rule.most) - 1) * interval_us)
    return ScaledRule(Drain(interval_us, deep_enough_us), max(0, first_us - now_us))


@scaled_rule.register
def _(rule: Period, share: Share, now_us: int, cost: int, known: Known) -> ScaledRule:
    del cost
    used = rule.running(now_us, known.counts).used
    return ScaledRule(replace(rule, quota=min(rule.quota, used + share.of(max(0, rule.quota - used)))))


@scaled_rule.register
def _(rule: Slots, share: Share, now_us: int, cost: int, known: Known) -> ScaledRule:
    del now_us, cost, known
    return ScaledRule(replace(rule, slots=share.of(rule.slots)))

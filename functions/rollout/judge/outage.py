"""Outages of stable itself, during which nothing can be compared.

An outage that both versions share is no evidence about the canary: its looks aren't counted, and the step's time stands
still. That is bounded, because a canary that harms a database harms stable, too: a longer outage is judged as any other
time, and by the alarms.
"""

from __future__ import annotations

from typing import NamedTuple

from functions.rollout.judge.counts import VersionCounts
from functions.rollout.judge.plan import Outage


class Troubles(NamedTuple):
    """Stable's outages so far.

    Attributes:
        requests, failed: stable's in the looks that count, from which its usual share of failures follows.
        look_s: when the latest look began, epoch seconds; None: there was none.
        now: whether stable was in trouble in it.
        last_s: when the latest look with trouble began; None: there was none.
        waited_s: seconds that weren't counted, without the latest look.
        before_step_s: those of them that were before this step.
        worst: stable's largest share of failures in trouble.
    """

    requests: int = 0
    failed: int = 0
    look_s: int | None = None
    now: bool = False
    last_s: int | None = None
    waited_s: int = 0
    before_step_s: int = 0
    worst: float = 0.0

    def after(self, limits: Outage, start_s: int, stable: VersionCounts) -> Troubles:
        """Take stable's counts of one look, which counts unless `now` is then true."""
        waited_s = self.waited_s + (start_s - self.look_s if self.now and self.look_s is not None else 0)
        requests, failed = stable.warm.requests, stable.warm.failed
        trouble = waited_s < limits.most_s and self._is_trouble(limits, requests, failed)
        begun = self._replace(look_s=start_s, now=trouble, waited_s=waited_s)
        if trouble:
            return begun._replace(last_s=start_s, worst=max(self.worst, failed / requests))
        return begun._replace(requests=self.requests + requests, failed=self.failed + failed)

    def before(self, stable: VersionCounts) -> Troubles:
        """Take stable's counts from before the canary had any weight."""
        return self._replace(requests=self.requests + stable.warm.requests, failed=self.failed + stable.warm.failed)

    def at_step(self) -> Troubles:
        """Begin a step."""
        return self._replace(before_step_s=self.waited_s, now=False)

    def step_waited_s(self, now_s: float) -> float:
        """Return for how many seconds this step's time has stood still."""
        latest = now_s - self.look_s if self.now and self.look_s is not None else 0
        return self.waited_s - self.before_step_s + latest

    def explains_alarms(self, limits: Outage, now_s: float) -> bool:
        """Whether an alarm may still ring because of stable's outage."""
        return self.last_s is not None and now_s - self.last_s <= limits.alarm_s and self.waited_s < limits.most_s

    def _is_trouble(self, limits: Outage, requests: int, failed: int) -> bool:
        if failed < limits.least_failed:
            return False
        usual = self.failed / self.requests if self.requests else 0.0
        return failed / requests >= max(limits.least_share, limits.times_usual * usual)

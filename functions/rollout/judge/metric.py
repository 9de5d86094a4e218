"""The evidence of one metric: of settled stretches of time, and of the one under way."""

from __future__ import annotations

from typing import NamedTuple

from functions.rollout.judge import harm, safety
from functions.rollout.judge.counts import Spread
from functions.rollout.judge.spread import most_gain, overdispersion
from functions.rollout.judge.wager import Table, Wealth


class Rule(NamedTuple):
    """A metric's tolerance, and its definition of a regression.

    Attributes:
        ratio, extra: a share of hits up to ratio * (stable's share + extra) is tolerated.
        far_ratio, far_least: a regression has a share of far hits of far_ratio * stable's share, and of far_least.
        replayed: whether the release itself sends the requests.
        most_safe: the bound of one stretch's evidence of safety, as a logarithm; infinite: there is no bound either
            way.
        events: how many events of one environment a stretch has room for; each of them bounds its evidence once.
    """

    ratio: float
    extra: float
    far_ratio: float = 1.0
    far_least: float = 1.0
    most_safe: float = float("inf")
    replayed: bool = False
    events: float = 1.0


class Stretch(NamedTuple):
    """The counts of one stretch.

    Attributes:
        worse: its hits are the requests of which only some are tolerated.
        far: its hits are the requests that make a regression.
        canary, stable: how failures are spread over the environments.
    """

    worse: Table = Table()
    far: Table = Table()
    canary: Spread = Spread()
    stable: Spread = Spread()

    def plus(self, other: Stretch) -> Stretch:
        """Return the sum of both."""
        return Stretch(
            self.worse.plus(other.worse),
            self.far.plus(other.far),
            self.canary.plus(other.canary),
            self.stable.plus(other.stable),
        )

    @property
    def events(self) -> Table:
        """The table in which an environment's failures at the same time count as one hit."""
        hits, canary, stable_hits, stable = self.worse
        mine = overdispersion(hits, canary, self.canary)
        other = overdispersion(stable_hits, stable, self.stable)
        return Table(hits / mine, canary / mine, stable_hits / other, stable / other)


NOTHING_SEEN = Stretch()
# The number of stable's former requests that help to prove safety, for each of the canary's.
_FORMER = 2.0


class Metric(NamedTuple):
    """Evidence of one metric.

    Attributes:
        harm: the bets that the canary is worse than tolerated, over settled stretches.
        safe: the logarithms of the bets that it is no regression, in this step alone, as each step needs its own proof.
        stretch: the stretch that isn't settled yet.
        began_s: when that began; epoch seconds.
        totals: all hits and requests of this step that have counted for `harm`.
        hit: the number of settled stretches of this step in which the canary had a hit.
        former: stable's far hits and requests before this step, the time before the release included, as far as they
            are unused. They help with safety, because stable's share within few requests is hardly known. They don't
            count for harm, because a trouble of both versions may have begun since.
    """

    harm: Wealth = Wealth.of(len(harm.STAKES))
    safe: tuple[float, ...] = (0.0,) * len(safety.STAKES)
    stretch: Stretch = NOTHING_SEEN
    began_s: int | None = None
    totals: Table = Table()
    hit: int = 0
    former: Table = Table()

    def at_step(self, rule: Rule, part: float, *, anew: bool = True) -> Metric:
        """Begin a step: carry evidence of harm on, stake a part of the wealth, and reset safety if `anew`."""
        settled = self.settled(rule)
        return settled._replace(
            harm=settled.harm.staked(harm.STAKES, part),
            safe=(0.0,) * len(safety.STAKES) if anew else settled.safe,
            totals=Table() if anew else settled.totals,
            hit=0 if anew else settled.hit,
        )

    def before(self, stable: Table) -> Metric:
        """Take stable's counts from before the canary had any weight."""
        return self._replace(former=self.former.plus(stable))

    def after(self, rule: Rule, seen: Stretch, start_s: int, stretch_s: int) -> Metric:
        """Take one look's counts. A stretch lasts until both versions have served, since one alone compares nothing."""
        # Stretches are aligned to the clock, as are the half minutes in which environments count their spread.
        over = self.began_s is not None and start_s // stretch_s != self.began_s // stretch_s
        due = over and self.stretch.worse.compares
        begun = self.settled(rule) if due else self
        return begun._replace(
            stretch=begun.stretch.plus(seen),
            began_s=start_s if begun.began_s is None else begun.began_s,
            totals=begun.totals.plus(seen.worse),
        )

    def settled(self, rule: Rule) -> Metric:
        """Settle the stretch under way, if there is one."""
        if self.began_s is None:
            return self
        left = self.former.plus(self._used().times(-1))
        return self._replace(
            harm=self._harmed(rule),
            safe=self._safe(rule),
            stretch=NOTHING_SEEN,
            began_s=None,
            hit=self.hit + bool(self.stretch.worse.canary_hits),
            former=left,
        )

    def against(self, rule: Rule) -> float:
        """Return the logarithm of the evidence against the canary, the stretch under way included."""
        return self._harmed(rule).log

    def for_it(self, rule: Rule, times: float = 1.0) -> float:
        """Return the logarithm of the evidence of safety, as if it were so many times as much."""
        return safety.wealth(tuple([log * times for log in self._safe(rule)]))

    def _harmed(self, rule: Rule) -> Wealth:
        seen = self.stretch
        if not seen.worse.compares:
            return self.harm
        gained = harm.gains(seen.events, rule.ratio, rule.extra)
        most = rule.events * most_gain(seen.worse.canary, seen.canary, replayed=rule.replayed)
        return self.harm.after(gained, harm.STAKES, most)

    def _used(self) -> Table:
        """The part of stable's former requests that helps the stretch under way."""
        if not self.former.stable:
            return self.former
        return self.former.times(min(1.0, _FORMER * self.stretch.far.canary / self.former.stable))

    def _safe(self, rule: Rule) -> tuple[float, ...]:
        seen = self.stretch
        if not seen.far.canary:
            return self.safe
        gained = safety.gains(seen.far, self._used(), rule.far_ratio, rule.far_least, rule.most_safe)
        return tuple([now + gain for now, gain in zip(self.safe, gained, strict=True)])

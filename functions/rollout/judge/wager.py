"""Evidence as a gambler's wealth, which may be looked at after every bet without inflating the error.

A wealth that starts at 1, and isn't expected to grow while a hypothesis is true, ever reaches 1/a with a probability of
at most a (Ville 1939). So it may be looked at every few seconds, and when it first reaches 1/a the hypothesis is
rejected, with the error a. The best bet is unknown, so the stake is divided among several, whose wealths add up.

One part is staked whole, stretch after stretch, on possible ratios of the canary's: it finds a constant regression with
the fewest requests. Another part risks only a share of itself in each stretch, so that no quiet stretch takes more from
it: it finds a regression that comes late, or now and then.

Sources: Ramdas, Gruenwald, Vovk, Shafer, "Game-theoretic statistics and safe anytime-valid inference", Statistical
Science 38 (2023); Johari, Koomen, Pekelis, Walsh, "Peeking at A/B tests", KDD 2017 (why not to peek otherwise); Kelly,
"A new interpretation of information rate", Bell System Technical Journal 35 (1956), for risking a share.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import exp, inf, log, log1p
from typing import NamedTuple


class Table(NamedTuple):
    """Two versions' requests in the same time, and the hits among them.

    A hit is a request that counts against a version: a failed one, or a slow one.
    """

    canary_hits: float = 0
    canary: float = 0
    stable_hits: float = 0
    stable: float = 0

    def plus(self, other: Table) -> Table:
        """Return the sum of both."""
        return Table(*[a + b for a, b in zip(self, other, strict=True)])

    def times(self, factor: float) -> Table:
        """Return it with all numbers multiplied."""
        return Table(*[number * factor for number in self])

    @property
    def compares(self) -> bool:
        """Whether both versions had requests."""
        return bool(self.canary and self.stable)


# The shares of themselves that the careful bets risk in each stretch.
RISKED = (0.1, 0.4)
# The part of a step's stake that is staked whole.
_WHOLE = 0.5


class Wealth(NamedTuple):
    """The wealth that has become of one unit.

    Attributes:
        waiting: the unstaked part, for later steps.
        whole: the logarithm of each bet that is staked whole.
        careful: the logarithm of each bet that risks a share of itself.
    """

    waiting: float
    whole: tuple[float, ...]
    careful: tuple[float, ...]

    @classmethod
    def of(cls, bets: int) -> Wealth:
        """Return the wealth before any bet."""
        return cls(1.0, (-inf,) * bets, (-inf,) * len(RISKED))

    def staked(self, stakes: Sequence[float], part: float) -> Wealth:
        """Stake a part of the unstaked wealth, as a step begins."""
        money = self.waiting * part
        if money <= 0:
            return self
        whole = [log_sum((now, log(money * _WHOLE * stake))) for now, stake in zip(self.whole, stakes, strict=True)]
        careful = [log_sum((now, log(money * (1 - _WHOLE) / len(RISKED)))) for now in self.careful]
        return Wealth(self.waiting - money, tuple(whole), tuple(careful))

    def after(self, gains: Sequence[float], stakes: Sequence[float], most: float) -> Wealth:
        """Settle a stretch; `gains` are the logarithms of the bets' factors, bounded by `most`."""
        whole = [now + min(most, gain) for now, gain in zip(self.whole, gains, strict=True)]
        mixed = log_sum([gain + log(stake) for gain, stake in zip(gains, stakes, strict=True)])
        careful = [now + min(most, _shared(mixed, risked)) for now, risked in zip(self.careful, RISKED, strict=True)]
        return Wealth(self.waiting, tuple(whole), tuple(careful))

    @property
    def log(self) -> float:
        """The logarithm of the whole wealth."""
        return log_sum([log(self.waiting) if self.waiting > 0 else -inf, *self.whole, *self.careful])


def _shared(gain: float, risked: float) -> float:
    """Return the logarithm of 1 - risked + risked * e^gain: the factor of a bet that risks a share of itself."""
    if gain > 0:
        return gain + log(risked + (1 - risked) * exp(-gain))
    return log1p(risked * (exp(gain) - 1))


def log_sum(terms: Iterable[float]) -> float:
    """Return log(sum(exp(terms))) without overflow."""
    found = list(terms)
    most = max(found)
    return most if most == -inf else most + log(sum([exp(term - most) for term in found]))
